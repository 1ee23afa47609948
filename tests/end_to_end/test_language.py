"""A language model on the real tritonserver: loaded with its warm-up, and load-tested with numbers that are tokens."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import ROOT, build_plan, run_tuner

pytestmark = pytest.mark.measures

LENGTHS = {"onnx_int8": 64, "onnx_int8_128": 128}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/tiny-bert.yaml, built."""
    return build_plan(ROOT / "plans" / "tiny-bert.yaml", tmp_path_factory.mktemp("language") / "models")


@pytest.fixture(scope="module")
def client(models: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A client of a server with two of the models."""
    log = tmp_path_factory.mktemp("server") / "log"
    with TritonProcess(find_tritonserver(server_python=server_python), models, pick_ports(), log) as server:
        with closing(Control(server.grpc_address, server)) as control:
            for name in ("original", "onnx_fp32"):
                control.load(name, 60.0)
        with closing(triton.InferenceServerClient(server.grpc_address)) as opened:
            yield opened


def _ask(client: triton.InferenceServerClient, model: str, ids: np.ndarray) -> np.ndarray:
    arrays = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    tensors = [triton.InferInput(name, list(ids.shape), "INT32") for name in arrays]
    for tensor, array in zip(tensors, arrays.values(), strict=True):
        tensor.set_data_from_numpy(array)
    answer = client.infer(model, tensors)
    return np.stack([answer.as_numpy("start_logits"), answer.as_numpy("end_logits")])


def test_the_variants_give_the_same_answers(client: triton.InferenceServerClient) -> None:
    ids = np.random.default_rng(0).integers(0, 1000, (3, 64)).astype(np.int32)
    original, onnx = (_ask(client, model, ids) for model in ("original", "onnx_fp32"))
    assert original.shape == (2, 3, 64)
    assert np.allclose(original, onnx, atol=1e-4)


def test_each_length_is_load_tested_and_the_report_shows_them_together(
    models: Path, server_python: str, tmp_path: Path
) -> None:
    done = run_tuner(
        [
            "ladder",
            f"--repository={models}",
            f"--models={','.join(LENGTHS)}",
            f"--server-python={server_python}",
            "--objective=p95<=400ms",
            "--effort=smoke",
            f"--output={tmp_path}",
        ]
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    for model in results["models"]:
        assert model["rate_per_s"] and not any(point["errors"] for point in model["points"]), model["model"]
    assert "Sequence length" in (tmp_path / "report.html").read_text()
