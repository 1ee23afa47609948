"""A running server is left as it was found, whatever was measured on it and however that ended."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from command_line.errors import ServerError
from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.restore import restored_server
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import run_tuner, started
from .echo_models import BROKEN, echo_model, ensemble

LOAD_S = 60.0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, an ensemble with one of them, two that can't be loaded, and one of two versions."""
    repository = tmp_path_factory.mktemp("echo") / "models"
    for name in ("a", "b"):
        echo_model(repository, name)
    for name in ("broken", "broken_too"):
        echo_model(repository, name, code=BROKEN)
    echo_model(repository, "versions", (9, 10))
    ensemble(repository, "ens", "a")
    return repository


@pytest.fixture
def server(models: Path, server_python: str, tmp_path: Path) -> Iterator[TritonProcess]:
    program = find_tritonserver(server_python=server_python)
    with TritonProcess(program, models, pick_ports(), tmp_path / "server.log") as running:
        yield running


@pytest.fixture
def control(server: TritonProcess) -> Iterator[Control]:
    """The server with `a` as a tuner left it, with three instances, and its ensemble."""
    with closing(Control(server.grpc_address)) as opened:
        opened.load("a", LOAD_S)
        tuned = opened.config("a")
        tuned.instance_group[0].count = 3
        opened.load("a", LOAD_S, tuned)
        opened.load("ens", LOAD_S)
        yield opened


def _served(control: Control) -> dict[str, int]:
    """The models that are served, each with its number of instances."""
    return {
        name: sum(group.count for group in control.config(name).instance_group)
        for name in control.models()
        if control.is_ready(name)
    }


def _loads(server: TritonProcess) -> list[str]:
    """The models that the server has loaded since it began."""
    return re.findall(r"successfully loaded '(\w+)'", server.log.read_text())


def _command(server: TritonProcess, output: Path, *more: str) -> list[str]:
    return [*more, f"--address={server.grpc_address}", "--objective=p95<=400ms", "--effort=smoke", f"--output={output}"]


def _kill(server: TritonProcess) -> None:
    port = f"--grpc-port={server.ports.grpc}"
    (found,) = [child for child in psutil.Process().children() if port in child.cmdline()]
    found.kill()


AS_FOUND = {"a": 3, "ens": 0}


def test_a_ladder_measures_and_leaves_a_model_as_it_was_tuned(
    server: TritonProcess, control: Control, tmp_path: Path
) -> None:
    done = run_tuner(_command(server, tmp_path / "out", "ladder", "--models=b,a"))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    instances = {m["model"]: m["server_config"]["instance_group"][0]["count"] for m in results["models"]}
    assert instances == {"a": 3, "b": 1}
    assert _served(control) == AS_FOUND


def test_what_did_not_change_is_not_loaded_again(server: TritonProcess, control: Control, tmp_path: Path) -> None:
    before = _loads(server)
    done = run_tuner(_command(server, tmp_path / "out", "measure", "a", "--rate=20"))
    assert done.returncode == 0, done.stderr
    assert _loads(server) == before and _served(control) == AS_FOUND


def test_a_model_that_was_not_served_is_not_served_afterwards(
    server: TritonProcess, control: Control, tmp_path: Path
) -> None:
    done = run_tuner(_command(server, tmp_path / "out", "measure", "b", "--rate=20"))
    assert done.returncode == 0, done.stderr
    assert _loads(server)[-1] == "b" and _served(control) == AS_FOUND


def test_a_second_interruption_waits_for_the_server_to_be_as_it_was(
    server: TritonProcess, control: Control, tmp_path: Path
) -> None:
    command = _command(server, tmp_path / "out", "ladder", "--models=b,a")
    with started("slo-tuner", command, until="in flight") as (child, _):
        child.process.send_signal(signal.SIGINT)
        child.process.send_signal(signal.SIGINT)
        rest = child.rest()
        assert child.process.wait(60) == 130, rest
    assert "Traceback" not in rest and "interrupted" in rest
    assert _served(control) == AS_FOUND


def test_failing_work_is_reported_and_the_server_restored(control: Control) -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="the work"), restored_server(control, said.append):
        control.unload("ens")
        control.unload("a")
        control.load("b", LOAD_S)
        raise ValueError("the work")
    assert _served(control) == AS_FOUND and said == ["a: as it was found", "ens: as it was found"]


def test_a_server_that_dies_is_one_line(server: TritonProcess, control: Control, tmp_path: Path) -> None:
    command = _command(server, tmp_path / "out", "ladder", "--models=b,a")
    with started("slo-tuner", command, until="in flight") as (child, _):
        _kill(server)
        rest = child.rest()
        assert child.process.wait(120) == 1, rest
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].startswith("slo-tuner: error: ") and rest.count("slo-tuner: error") == 1


def test_a_server_that_loads_at_its_start_is_measured_and_not_touched(tmp_path: Path, server_python: str) -> None:
    echo_model(tmp_path / "models", "a")
    echo_model(tmp_path / "models", "b")
    program = find_tritonserver(server_python=server_python)
    arguments = ["--model-control-mode=none"]
    with TritonProcess(program, tmp_path / "models", pick_ports(), tmp_path / "log", arguments) as server:
        done = run_tuner(_command(server, tmp_path / "out", "measure", "a", "--rate=20"))
        assert done.returncode == 0, done.stderr
        refused = run_tuner(_command(server, tmp_path / "ladder", "ladder", "--models=a,b"))
        assert refused.returncode == 1 and "start it with --model-control-mode=explicit" in refused.stderr
        with closing(Control(server.grpc_address)) as control:
            assert _served(control) == {"a": 1, "b": 1}
        assert sorted(_loads(server)) == ["a", "b"]


def test_a_restore_that_fails_is_said(server: TritonProcess, control: Control) -> None:
    with pytest.raises(ServerError, match="could not be left as it was found"):  # noqa: SIM117
        with restored_server(control, lambda _: None):
            _kill(server)


@pytest.fixture(scope="module")
def broken(models: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a ladder printed and wrote whose first and third model can't be loaded."""
    output = tmp_path_factory.mktemp("broken")
    where = [f"--repository={models}", f"--server-python={server_python}", f"--output={output}"]
    done = run_tuner(
        ["ladder", "--models=broken,a,broken_too,versions", *where, "--objective=auto", "--effort=smoke"], 400
    )
    page = (output / "report.html").read_text() if (output / "report.html").exists() else ""
    results = json.loads((output / "results.json").read_text())
    return {"code": done.returncode, "printed": done.stdout, "said": done.stderr, "page": page, "results": results}


def test_models_that_cannot_be_loaded_do_not_end_a_ladder(broken: dict[str, Any]) -> None:
    assert broken["code"] == 1, broken["said"]
    failed = {model["model"]: model["failure"] for model in broken["results"]["models"]}
    assert list(failed) == ["broken", "a", "broken_too", "versions"]
    assert [bool(text) for text in failed.values()] == [True, False, True, False]
    assert "[/models/a/1/model.onnx] and no [[node x]]" in failed["broken"]
    assert broken["results"]["models"][1]["points"] and broken["results"]["objective_source"].endswith("rounded up")


def test_the_report_and_the_table_say_why_models_are_missing(broken: dict[str, Any]) -> None:
    for model in ("broken", "broken_too"):
        line = f"{model}: not measured: model '{model}' cannot be loaded: "
        assert line in broken["printed"] and line in broken["page"].replace("&#39;", "'")
    assert "[/models/a/1/model.onnx]" in broken["printed"] and "Traceback" not in broken["said"]


def test_a_model_of_two_versions_is_measured_once_with_the_manifest_of_the_higher(broken: dict[str, Any]) -> None:
    found = [model["manifest"] for model in broken["results"]["models"] if model["model"] == "versions"]
    assert found == [{"engine": "version 10"}]
    assert broken["said"].count("versions: loaded in") == 1


def test_the_only_model_that_cannot_be_loaded_is_one_line(models: Path, server_python: str, tmp_path: Path) -> None:
    where = [f"--repository={models}", f"--server-python={server_python}", f"--output={tmp_path}"]
    done = run_tuner(["ladder", "--models=broken", *where, "--objective=auto", "--effort=smoke"])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("slo-tuner: error: model 'broken' cannot be loaded: ")
    assert not (tmp_path / "results.json").exists()
