"""SavedModels that others made: planned by `init`, built, served, measured and tuned; the answers are TensorFlow's."""

import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import python_of, run_in_builder_env, run_tuner
from .known_answers import known
from .test_own_savedmodels import ask, differs

VARIANTS = ["notes.original", "notes.onnx_fp32", "thrush.original", "thrush.onnx_fp32", "language.original"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository in models/, and inputs and answers of each model."""
    path = tmp_path_factory.mktemp("public")
    site = sysconfig.get_path("purelib", vars={"base": str(Path(python_of("PUBLIC_MODELS_PYTHON")).parents[1])})
    run_in_builder_env("public_models.py", site, str(path))
    return path


@pytest.fixture(scope="module")
def server(folder: Path, server_python: str) -> Iterator[TritonProcess]:
    program = find_tritonserver(None, server_python)
    with TritonProcess(program, folder / "models", pick_ports(), folder / "triton.log") as process:
        yield process


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_server_answers_as_tensorflow(variant: str, folder: Path, server: TritonProcess) -> None:
    case = variant.partition(".")[0]
    client: Any = triton.InferenceServerClient(server.grpc_address)
    client.load_model(variant)
    assert differs(ask(client, variant, known(folder, case, "in_")), known(folder, case, "out_")) == ""
    client.unload_model(variant)


@pytest.mark.parametrize(
    ("model", "batches"), [("notes.onnx_fp32", "4"), ("thrush.onnx_fp32", "1,4"), ("language.original", "4")]
)
def test_it_is_measured_and_tuned(model: str, batches: str, server: TritonProcess, tmp_path: Path) -> None:
    where = [f"--address={server.grpc_address}", f"--metrics-url={server.metrics_url}", "--effort=smoke"]
    space = ["--objective=p95<=1s", f"--batches={batches}", "--instances=1", "--queue-delays-us=0"]
    tuned = run_tuner(["tune", model, *where, *space, f"--output={tmp_path}"], timeout_s=300)
    assert tuned.returncode == 0, tuned.stderr[-2000:]
    results = json.loads((tmp_path / "results.json").read_text())
    trials = [trial for trial in results["tuning"]["trials"] if trial["status"] == "rate"]
    assert trials and all(trial["rate_per_s"] > 0 for trial in trials)
    assert list((tmp_path / "values").glob("tuned-*.yaml"))
