"""A running tritonserver: measured over HTTP, lost while measured, interrupted, and driven by plain `locust -f`."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import http_request, run_tuner, started

pytestmark = pytest.mark.measures


def _children_of(pid: int) -> list[int]:
    """The server and the load workers that a process has started."""
    return [child.pid for child in psutil.Process(pid).children()]


def _servers_of(pid: int) -> list[int]:
    """The tritonservers that a process has started."""
    return [child.pid for child in psutil.Process(pid).children() if child.name() == "tritonserver"]


def _is_gone(pid: int, deadline_s: float = 20.0) -> bool:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def served(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a server with onnx_fp32 loaded, from `slo-tuner serve`."""
    log = tmp_path_factory.mktemp("serve") / "tritonserver.log"
    arguments = [
        "serve",
        str(repository),
        "--load=onnx_fp32",
        "--load=original",
        f"--server-python={server_python}",
        f"--log={log}",
    ]
    with started("slo-tuner", arguments, until="models:") as (_, printed):
        found = re.search(r"gRPC (\S+), HTTP (\S+), metrics (\S+)", printed)
        assert found, printed
        yield dict(zip(("grpc", "http", "metrics"), found.groups(), strict=True))


def test_a_running_server_is_measured_over_http(served: dict[str, str], tmp_path: Path) -> None:
    done = run_tuner(
        [
            "measure",
            "original",
            f"--address={served['http']}",
            f"--control-address={served['grpc']}",
            "--protocol=http",
            f"--metrics-url={served['metrics']}",
            "--rate=20",
            "--objective=p95<=400ms",
            "--effort=smoke",
            f"--output={tmp_path}",
        ]
    )
    assert done.returncode == 0, done.stderr
    point = json.loads((tmp_path / "results.json").read_text())["models"][0]["points"][0]
    assert point["errors"] == 0 and point["kept"] and point["server"]["requests"] > 0


def test_workers_that_come_from_elsewhere_make_the_load(served: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    worker = [sys.executable, "-m", "slo_tuner", "worker", f"127.0.0.1:{port}"]
    workers = [subprocess.Popen(worker) for _ in range(2)]
    arguments = ["measure", "onnx_fp32", f"--address={served['grpc']}", "--rate=20", "--effort=smoke"]
    done = run_tuner([*arguments, "--workers=2", f"--workers-at=127.0.0.1:{port}", f"--output={tmp_path}"])
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    (point,) = results["models"][0]["points"]
    assert results["run"]["load_workers"] == 2 and point["requests"] == point["due"] and not point["errors"]
    assert [process.wait(20) for process in workers] == [0, 0], "they end with the tuner"


def test_two_load_workers_measure_what_one_process_measures(served: dict[str, str], tmp_path: Path) -> None:
    arguments = ["measure", "onnx_fp32", f"--address={served['grpc']}", f"--metrics-url={served['metrics']}"]
    done = run_tuner([*arguments, "--objective=p95<=400ms", "--effort=smoke", "--workers=2", f"--output={tmp_path}"])
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    (model,) = results["models"]
    assert results["run"]["load_workers"] == 2
    assert model["rate_per_s"] and all(point["requests"] == point["due"] for point in model["points"])
    assert all(point["server"]["requests"] > 0 for point in model["points"])


def test_an_unknown_model_is_named_with_those_that_exist(served: dict[str, str], tmp_path: Path) -> None:
    done = run_tuner(["measure", "absent", f"--address={served['grpc']}", f"--output={tmp_path}"])
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("slo-tuner: error: model: 'absent'")
    assert "onnx_fp32, onnx_int8, original" in done.stderr


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_plain_locust_runs_the_locustfile(served: dict[str, str], mode: str) -> None:
    locustfile = run_tuner(["locustfile"]).stdout.strip()
    settings = {
        "SLO_TUNER_MODEL": "onnx_fp32",
        "SLO_TUNER_ADDRESS": served["grpc"],
        "SLO_TUNER_MODE": mode,
        "SLO_TUNER_RATE_PER_S": "20",
        "SLO_TUNER_OBJECTIVE": "p95<=1s",
        "LOCUST_USERS": "2",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("locust")), "-f", locustfile, "--headless", "--run-time=5s", "--json"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statistics = json.loads(done.stdout[done.stdout.index("[") : done.stdout.rindex("]") + 1])
    assert statistics[0]["name"] == "onnx_fp32" and statistics[0]["num_failures"] == 0
    # 5 s at 20 requests a second, or of two users that send at most 10 each.
    assert 50 <= statistics[0]["num_requests"] <= 150


def test_a_server_that_dies_while_measured_is_an_error_with_its_last_words(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    arguments = ["measure", "onnx_fp32", f"--repository={repository}", f"--server-python={server_python}"]
    with started("slo-tuner", [*arguments, f"--output={tmp_path}"], until="in flight") as (child, _):
        (server,) = _servers_of(child.process.pid)
        os.kill(server, signal.SIGKILL)
        rest = child.rest()
        assert child.process.wait(60) == 1
    assert "slo-tuner: error: tritonserver ended with exit code -9" in rest
    assert "Traceback" not in rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_server_and_the_load_workers_too(
    repository: Path, server_python: str, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = ["measure", "onnx_fp32", f"--repository={repository}", f"--server-python={server_python}"]
    with started("slo-tuner", [*arguments, "--workers=2", f"--output={tmp_path}"], until="in flight") as (child, _):
        children = _children_of(child.process.pid)
        child.process.send_signal(number)
        rest = child.rest()
        assert child.process.wait(60) == 130
    assert "interrupted" in rest and "Traceback" not in rest
    assert len(children) == 3 and all(_is_gone(child) for child in children)


def test_a_tuner_that_is_killed_takes_its_server_and_load_workers_with_it(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    arguments = ["measure", "onnx_fp32", f"--repository={repository}", f"--server-python={server_python}"]
    with started("slo-tuner", [*arguments, "--workers=2", f"--output={tmp_path}"], until="in flight") as (child, _):
        children = _children_of(child.process.pid)
        child.process.kill()
        assert len(children) == 3 and all(_is_gone(child) for child in children)


def test_a_model_that_cannot_be_loaded_is_an_error_of_one_line(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    broken = tmp_path / "models"
    shutil.copytree(repository, broken)
    (broken / "onnx_int8" / "1" / "model.onnx").write_text("no model")
    done = run_tuner(
        ["measure", "onnx_int8", f"--repository={broken}", f"--server-python={server_python}", f"--output={tmp_path}"]
    )
    assert done.returncode == 1
    *_, line = done.stderr.strip().splitlines()  # after what it was about to measure
    assert line.startswith("slo-tuner: error: model 'onnx_int8' cannot be loaded: ")
    assert "INVALID_PROTOBUF" in line and "tritonserver.log" in line


def test_a_ladder_leaves_a_running_server_as_it_was(served: dict[str, str], tmp_path: Path) -> None:
    done = run_tuner(
        [
            "ladder",
            "--models=onnx_int8,onnx_fp32",
            f"--address={served['grpc']}",
            "--objective=p95<=400ms",
            "--effort=smoke",
            f"--output={tmp_path}",
        ]
    )
    assert done.returncode == 0, done.stderr
    index = http_request("POST", f"http://{served['http']}/v2/repository/index", json={"ready": True}).json()
    assert sorted(model["name"] for model in index) == ["onnx_fp32", "original"]
