"""The tuner on the real tritonserver: reconfigured without a restart, left as it was found, deployed by the chart."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import ROOT, http_request, run_tuner, started

sys.path.insert(0, str(ROOT / "tests" / "chart"))

from render import one, render

pytestmark = pytest.mark.measures

MODEL = "onnx_int8"
SMALL = ["--objective=p95<=400ms", "--effort=smoke", "--batches=1,4", "--instances=1,2", "--queue-delays-us=0"]


class Served:
    """A server with the model and its alias, from `slo-tuner serve`."""

    def __init__(self, printed: str) -> None:
        found = re.search(r"gRPC (\S+), HTTP (\S+), metrics (\S+)", printed)
        assert found, printed
        self.grpc, self.http, self.metrics = found.groups()

    def config(self, model: str = MODEL) -> dict[str, Any]:
        """The configuration that the model is served with."""
        return dict(http_request("GET", f"http://{self.http}/v2/models/{model}/config").json())

    def tune(self, output: Path, *more: str) -> list[str]:
        """The command line that tunes the model on it."""
        return [
            "tune",
            MODEL,
            f"--address={self.grpc}",
            f"--metrics-url={self.metrics}",
            f"--output={output}",
            *SMALL,
            *more,
        ]


@pytest.fixture(scope="module")
def served(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("serve") / "tritonserver.log"
    arguments = ["serve", str(repository), f"--load={MODEL}", f"--server-python={server_python}", f"--log={log}"]
    with started("slo-tuner", arguments, until="models:") as (_, printed):
        yield Served(printed)


@pytest.fixture(scope="module")
def tuned(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The output folder of a tuning with two load workers, and the configuration that was served before."""
    output, before = tmp_path_factory.mktemp("tuned"), served.config()
    done = run_tuner(served.tune(output, "--workers=2", "--total-rate=1000", "--machine=n1-standard-4"))
    assert done.returncode == 0, done.stderr
    return output, before


@pytest.fixture(scope="module")
def tuning(tuned: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return dict(json.loads((tuned[0] / "results.json").read_text())["tuning"])


def test_the_server_is_left_as_it_was_found(served: Served, tuned: tuple[Path, dict[str, Any]]) -> None:
    assert served.config() == tuned[1]


def test_trials_were_measured_under_several_configurations(tuning: dict[str, Any]) -> None:
    tried = {json.dumps(trial["configuration"]) for trial in tuning["trials"] if trial["saturation"]}
    assert len(tried) >= 3
    assert tuning["stopped"] and tuning["deployment"]["replicas"] >= 1


def test_two_workers_made_the_load(tuned: tuple[Path, dict[str, Any]]) -> None:
    results = json.loads((tuned[0] / "results.json").read_text())
    assert results["run"]["load_workers"] == 2
    assert all(point["requests"] and not point["errors"] for point in results["models"][0]["points"])


def test_the_server_s_counters_saw_the_batches_of_each_configuration(tuning: dict[str, Any]) -> None:
    for trial in tuning["trials"]:
        if trial["saturation"]:
            assert 1 <= trial["saturation"]["server"]["batch_size"] <= trial["configuration"]["batch"]


def test_the_chart_takes_the_values_file_and_its_hook_serves_them(
    served: Served, tuned: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    values = yaml.safe_load((tuned[0] / "values" / f"tuned-{MODEL}.yaml").read_text())
    values["modelRepository"]["tuning"][MODEL] |= {"maxBatchSize": 2, "preferredBatchSizes": [], "instances": 2}
    manifests = render({**values, "modelRepository": {**values["modelRepository"], "source": "url", "url": "gs://b/m"}})
    scripts = one(manifests, "ConfigMap", "-scripts")["data"]
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
    container = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    # The server's log and port here, and this Python.
    here = {"/etc/triton": str(tmp_path), "/proc/1/fd/2": str(tmp_path / "log"), "python3": sys.executable}
    command = [_replaced(part, here) for part in container["lifecycle"]["postStart"]["exec"]["command"]]
    command[command.index("8000")] = served.http.rpartition(":")[2]
    try:
        subprocess.run(command, check=True, timeout=60)
        config = served.config()
        assert (config["max_batch_size"], config["instance_group"][0]["count"]) == (2, 2)
    finally:
        http_request("POST", f"http://{served.http}/v2/repository/models/{MODEL}/unload", json={})
        http_request("POST", f"http://{served.http}/v2/repository/models/{MODEL}/load", json={})
    assert _settled(served) == tuned[1]


def _replaced(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def _settled(served: Served, deadline_s: float = 30.0) -> dict[str, Any]:
    """The configuration, once the model is served again."""
    end = time.monotonic() + deadline_s
    while http_request("GET", f"http://{served.http}/v2/models/{MODEL}/ready").status != 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    return served.config()


def test_an_interrupted_tuning_restores_the_model_and_can_be_resumed(served: Served, tmp_path: Path) -> None:
    before = served.config()
    with started("slo-tuner", served.tune(tmp_path), until="screen, how throughput grows") as (child, _):
        child.process.send_signal(signal.SIGINT)
        rest = child.rest()
        assert child.process.wait(60) == 130, rest
    assert "go on with --resume" in rest and "Traceback" not in rest
    assert served.config() == before
    kept = json.loads((tmp_path / "results.json").read_text())["tuning"]["trials"]
    done = run_tuner(served.tune(tmp_path, "--resume"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("as measured before") == len(kept) >= 1
    assert json.loads((tmp_path / "results.json").read_text())["tuning"]["trials"][: len(kept)] == kept


def test_a_resumed_tuning_keeps_its_objective(served: Served, tuned: tuple[Path, dict[str, Any]]) -> None:
    done = run_tuner([*served.tune(tuned[0], "--resume", "--workers=2"), "--objective=p95<=1s"])
    assert done.returncode == 2
    assert "its objective is 'p95<=400ms'" in done.stderr


def test_a_model_that_is_not_there_is_refused_before_anything_is_touched(served: Served, tmp_path: Path) -> None:
    done = run_tuner(["tune", "resnet", f"--address={served.grpc}", f"--output={tmp_path}", *SMALL])
    assert done.returncode == 2
    assert done.stderr.startswith("slo-tuner: error: model: 'resnet' is not allowed; the server's repository has ")


def test_metrics_of_another_port_are_refused(served: Served, tmp_path: Path) -> None:
    url = f"http://{served.http}/metrics"
    done = run_tuner(
        ["tune", MODEL, f"--address={served.grpc}", f"--metrics-url={url}", f"--output={tmp_path}", *SMALL]
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"slo-tuner: error: metrics at {url} cannot be read: the answer is 4")


def test_a_server_that_loads_no_models_by_request_is_refused(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    only = tmp_path / "models"
    shutil.copytree(repository / MODEL, only / MODEL)
    program = find_tritonserver(server_python=server_python)
    with TritonProcess(program, only, pick_ports(), tmp_path / "log", ["--model-control-mode=none"]) as server:
        done = run_tuner(["tune", MODEL, f"--address={server.grpc_address}", f"--output={tmp_path}", *SMALL])
    assert done.returncode == 1
    assert "start it with --model-control-mode=explicit" in done.stderr


def test_instances_that_do_not_fit_are_refused_by_triton_and_left_out(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    shutil.copytree(repository / MODEL, models / MODEL)
    code = models / MODEL / "1" / "model.py"
    full = 'if args["model_instance_name"].endswith("_1"): raise MemoryError("no room for a second instance")'
    first = 'config = json.loads(args["model_config"])'
    code.write_text(code.read_text().replace(first, f"{full}\n        {first}"))
    assert full in code.read_text()
    arguments = ["tune", MODEL, f"--repository={models}", f"--server-python={server_python}"]
    done = run_tuner([*arguments, f"--output={tmp_path}", *SMALL])
    assert done.returncode == 0, done.stderr
    tuning = json.loads((tmp_path / "results.json").read_text())["tuning"]
    refused = [trial for trial in tuning["trials"] if trial["status"] == "refused"]
    assert refused and "no room for a second instance" in refused[0]["message"]
    assert tuning["path"][-1]["configuration"]["instances"] == 1


def test_a_server_that_dies_is_an_error_that_says_what_is_kept(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    arguments = ["tune", MODEL, f"--repository={repository}", f"--server-python={server_python}"]
    with started("slo-tuner", [*arguments, f"--output={tmp_path}", *SMALL], until="screen, how") as (child, _):
        (server,) = [
            child.pid for child in psutil.Process(child.process.pid).children() if child.name() == "tritonserver"
        ]
        os.kill(server, signal.SIGKILL)
        rest = child.rest()
        assert child.process.wait(60) == 1
    assert "slo-tuner: error: tritonserver ended with exit code -9" in rest
    assert "go on with --resume" in rest and "Traceback" not in rest
