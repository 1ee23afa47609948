"""Real rows on the real tritonserver: the model gets those of its sample, or of a file, in turn, each as it is."""

import collections
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slo_tuner
from example_files import kept
from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import ROOT, run_tuner

SMOKE_TEST = ROOT / "charts" / "triton" / "files" / "smoke_test.py"
MODEL = "recorder"
CONFIG = """\
name: "recorder"
backend: "python"
max_batch_size: 8
input [{ name: "ids" data_type: TYPE_INT32 dims: [ -1 ] }, { name: "text" data_type: TYPE_STRING dims: [ 1 ] }]
output [{ name: "count" data_type: TYPE_INT32 dims: [ 1 ] }]
instance_group [{ count: 1 kind: KIND_CPU }]
"""
CODE = """\
import json
import os
import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            ids, text = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("ids", "text"))
            with open(os.environ["RECORD"], "a") as file:
                file.write(json.dumps([ids[0].tolist(), text[0][0].decode("latin-1")]) + "\\n")
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("count", numpy.int32([[ids.size]]))]))
        return responses
"""
ROWS = [{"ids": list(range(length)), "text": f"row {length}"} for length in (1, 5, 3, 40, 2)]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that writes down what it gets, with a sample beside it as the builder keeps one."""
    version = tmp_path / "models" / MODEL / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    (version / "model.py").write_text(CODE)
    texts = [np.array([row["text"].encode()], object) for row in ROWS]
    rows = [{"ids": np.int32(row["ids"]), "text": text} for row, text in zip(ROWS, texts, strict=True)]
    kept.write(version / kept.FILE, rows)
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    return tmp_path / "models"


def measured(repository: Path, server_python: str, *arguments: str) -> tuple[list[Any], dict[str, Any]]:
    """What the model got, in order, and results.json."""
    output = repository.parent / "results"
    common = [f"--repository={repository}", f"--server-python={server_python}", f"--output={output}"]
    done = run_tuner(["measure", MODEL, "--rate=30", "--effort=smoke", "--quiet", *common, *arguments])
    # 4: a busy machine sent too late to judge the server, which is no matter here.
    assert done.returncode in (0, 3, 4), done.stderr
    return received(repository.parent), json.loads((output / "results.json").read_text())


def evenly(asked: list[Any], expected: list[dict[str, Any]]) -> bool:
    """Whether each row came as often as any other, but for what is under way at the end of each part of a run."""
    counts = collections.Counter((tuple(ids), text) for ids, text in asked)
    return {(tuple(row["ids"]), row["text"]) for row in expected} == set(counts) and (
        max(counts.values()) - min(counts.values()) <= 3
    )


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_model_gets_the_rows_of_its_sample_in_turn(repository: Path, server_python: str, protocol: str) -> None:
    asked, results = measured(repository, server_python, f"--protocol={protocol}")
    assert len(asked) > 20 and evenly(asked, ROWS)
    sent = results["requests"][MODEL]
    assert sent["rows"] == 5 and sent["source"].endswith(f"{MODEL}/1/{kept.FILE}")
    assert sent["sizes"]["ids"] == {"least": 1.0, "median": 3.0, "most": 40.0}


def test_workers_send_the_rows_of_a_file_in_turn(repository: Path, server_python: str) -> None:
    path = repository.parent / "requests.json"
    steps = [{"ids": {"content": row["ids"], "shape": [len(row["ids"])]}, "text": [row["text"]]} for row in ROWS[:4]]
    path.write_text(json.dumps({"data": steps}))
    asked, results = measured(repository, server_python, f"--examples={path}", "--workers=2")
    assert len(asked) > 20 and evenly(asked, ROWS[:4])
    assert results["requests"][MODEL]["source"] == str(path)


def test_a_wrong_file_is_named_before_any_load(repository: Path, server_python: str) -> None:
    path = repository.parent / "requests.jsonl"
    path.write_text('{"ids": [1], "text": "a"}\n{"ids": ["b"], "text": "a"}\n')
    common = [f"--repository={repository}", f"--server-python={server_python}", f"--output={repository.parent}/r"]
    done = run_tuner(["measure", MODEL, "--effort=smoke", "--quiet", *common, f"--examples={path}"])
    assert done.returncode == 2 and not (repository.parent / "record").exists()
    assert f"examples: \"{path}, line 2: ids holds 'b'\" is not allowed; give numbers" in done.stderr


@pytest.fixture
def served(repository: Path, server_python: str, tmp_path: Path) -> Iterator[TritonProcess]:
    """The real server with the model."""
    program = find_tritonserver(server_python=server_python)
    with TritonProcess(program, repository, pick_ports(), tmp_path / "log", [f"--load-model={MODEL}"]) as server:
        with closing(Control(server.grpc_address, server)) as control:
            control.check_reachable()
        yield server


def run(command: list[str], **environment: str) -> str:
    """What a program prints that ends well."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def received(folder: Path) -> list[Any]:
    """What the model got, in order."""
    return [json.loads(line) for line in (folder / "record").read_text().splitlines()]


def test_helm_test_asks_with_the_rows_of_the_sample(served: TritonProcess, repository: Path, tmp_path: Path) -> None:
    """The script of charts/triton, with the repository's volume mounted and without."""
    command = [sys.executable, str(SMOKE_TEST), served.http_address, served.grpc_address, MODEL]
    agree = f"model {MODEL}: versions ['1'], HTTP and gRPC agree on"
    assert f"{agree} 5 rows of its sample\n" in run(command, MODEL_REPOSITORY=str(repository))
    assert f"{agree} a generated row\n" in run(command)
    asked = received(tmp_path)
    assert asked[:10:2] == asked[1:10:2] == [[row["ids"], row["text"]] for row in ROWS]


def test_the_locustfile_sends_the_rows_in_turn(served: TritonProcess, repository: Path, tmp_path: Path) -> None:
    load = ["--headless", "--users=2", "--spawn-rate=2", "--run-time=3s"]
    command = [sys.executable, "-m", "locust", "-f", str(Path(slo_tuner.__file__).with_name("locustfile.py")), *load]
    settings = {"MODEL": MODEL, "ADDRESS": served.grpc_address, "EXAMPLES": str(repository)}
    run(command, **{f"SLO_TUNER_{name}": value for name, value in settings.items()})
    assert len(received(tmp_path)) > 10 and evenly(received(tmp_path), ROWS)
