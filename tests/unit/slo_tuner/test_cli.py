"""Wrong input to slo-tuner ends before any work, with one line that names the field, the value and what is allowed."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from command_line.arguments import default_control_address
from command_line.errors import ResultsError
from slo_tuner.cli import main
from slo_tuner.session.configmap import check_size


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A directory that looks like a model repository."""
    model = tmp_path / "models" / "original"
    model.mkdir(parents=True)
    (model / "config.pbtxt").write_text('name: "original"\n')
    return model.parent


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--objective=fast"], "objective: 'fast'"),
        (["--objective=p95<=-1ms"], "objective: 'p95<=-1ms'"),
        (["--protocol=udp"], "protocol: 'udp'"),
        (["--rate=0"], "rate: '0'"),
        (["--rate=many"], "rate: 'many'"),
        (["--workers=0"], "workers: '0'"),
        (["--workers=1.5"], "workers: '1.5'"),
        ([f"--workers={'9' * 5000}"], "workers: '999"),
        (["--workers-at=*:5557"], "workers: ''"),
        (["--workers-at=*:5557", "--workers=2"], "workers-at: '*:5557'"),
        (["--workers-within-s=5"], "workers-within-s: '5'"),
        (["--timeout-s=-3"], "timeout-s: '-3'"),
        (["--shape=image"], "shape: 'image'"),
        (["--shape=image:3,x"], "shape: 'image:3,x'"),
        (["--metrics-url=localhost"], "metrics-url: 'localhost'"),
        (["--metrics-url=http://localhost:8002/metrics"], "metrics-url: 'http://localhost:8002/metrics'"),
        (["--control-address=localhost:8001"], "control-address: 'localhost:8001'"),
        (["--protocol=http", "--proxy"], "proxy: True"),
        (["--traffic=rain"], "traffic: 'rain'"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], field: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["measure", "original", f"--repository={repository}", f"--output={tmp_path / 'out'}", *arguments]
    assert main(given) == 2
    message = _error(capsys)
    assert message.startswith(f"slo-tuner: error: {field}") and " is not allowed; " in message, message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batches=4,many"], "batches: '4,many' is not allowed; give different whole numbers from 1 to 4096"),
        (["--instances=0"], "instances: '0' is not allowed; give different whole numbers from 1 to 256"),
        (["--queue-delays-us=5,5"], "queue-delays-us: '5,5' is not allowed"),
        (["--total-rate=-1"], "total-rate: '-1' is not allowed"),
        (["--machine=abacus"], "machine: 'abacus' is not allowed; the price table has"),
        (["--plan=/absent.yaml"], "plan: '/absent.yaml' is not allowed; it cannot be read"),
        (["--objective=fast"], "objective: 'fast' is not allowed"),
    ],
)
def test_a_wrong_option_of_tune_is_named(
    arguments: list[str], message: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["tune", "original", f"--repository={repository}", f"--output={tmp_path / 'out'}", *arguments]
    assert main(given) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--through=gateway"], "through: 'gateway' is not allowed; write it as NAME=HOST:PORT"),
        (["--through=gateway="], "through: 'gateway=' is not allowed; write it as NAME=HOST:PORT"),
        (["--through=gateway=host"], "through: 'host' is not allowed; write it as host:port"),
        (["--through=a=b:1", "--through=a=c:1"], "through: 'a=c:1' is not allowed; a is the name of another target"),
        (["--through=a=b:1", "--rounds=0"], "rounds: '0' is not allowed"),
        (["--through=a=b:1", "--objective=p98<=1s"], "objective: 'p98<=1s' is not allowed; a sweep tells p50, p90"),
        (["--through=a=b:1", "--objective=auto"], "objective: 'auto' is not allowed"),
    ],
)
def test_a_wrong_option_of_sweep_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "original", f"--output={tmp_path}", *arguments]) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: {message}")


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["measure", "m", "--address=h:1"], "; models measured completely are in results.json"),
        (["tune", "m", "--address=h:1"], "; trials (go on with --resume) are in results.json"),
        (["sweep", "m", "--through=a=h:1"], "; rounds measured completely are in results.json"),
        (["serve", "models"], ""),
    ],
)
def test_an_interruption_tells_what_is_kept(
    arguments: list[str], kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("slo_tuner.cli._run", interrupted)
    assert main(arguments) == 130
    assert _error(capsys) == f"slo-tuner: interrupted{kept}"


def test_json_is_alone_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object) -> int:
        (tmp_path / "results.json").write_text('{"title": "µs — 😀"}\n', encoding="utf-8")
        print("the table")
        return 3

    monkeypatch.setattr("slo_tuner.cli._run", measured)
    assert main(["measure", "m", "--address=h:1", f"--output={tmp_path}", "--json"]) == 3
    # In ASCII: whatever the encoding of standard output is, it is JSON.
    assert capsys.readouterr() == ('{"title": "\\u00b5s \\u2014 \\ud83d\\ude00"}\n', "the table\n")


@pytest.mark.parametrize("port", ["x", "-1", "70000", "8000.5"])
def test_a_port_that_is_none_is_named(port: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(repository), f"--http-port={port}"]) == 2
    assert f"http-port: '{port}' is not allowed; give a port from 1 to 65535" in _error(capsys)


@pytest.mark.parametrize("address", ["localhost", "http://localhost:8001/v2", ":8001", "host:port", "host:70000"])
def test_a_wrong_address_is_named(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "original", f"--address={address}", f"--output={tmp_path}"]) == 2
    assert "write it as host:port" in _error(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers-at=somewhere"], "workers-at: 'somewhere' is not allowed; write it as host:port"),
        (["--workers-at=a.example:5557"], "workers-at: 'a.example:5557' is not allowed; write an IP address of this"),
        (["--workers-at=192.0.2.1:5557"], "workers-at: '192.0.2.1:5557' is not allowed; nothing can listen there"),
        (["--workers-at=*:5557", "--workers-within-s=soon"], "workers-within-s: 'soon' is not allowed"),
    ],
)
def test_a_wrong_place_for_workers_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["measure", "m", "--address=localhost:8001", f"--output={tmp_path}", "--workers=2", *arguments]
    assert main(given) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: {message}")


def test_a_load_worker_wants_the_address_of_its_tuner(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "somewhere"]) == 2
    assert _error(capsys).startswith("slo-tuner: error: HOST:PORT: 'somewhere' is not allowed; write it as host:port")


@pytest.mark.parametrize("name", ["My_Results", "a..b", "a.-b", "a-.b", "-a", "a.", "a" * 254])
def test_a_wrong_configmap_name_is_named(
    name: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ladder", f"--repository={repository}", f"--output={tmp_path}", f"--save-configmap={name}"]
    assert main(arguments) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: save-configmap: '{name[:200]}")


def test_a_configmap_without_a_cluster_is_refused_before_anything_is_measured(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = ["ladder", f"--repository={repository}", f"--output={tmp_path}", "--save-configmap=results"]
    assert main(arguments) == 1
    assert _error(capsys).startswith("slo-tuner: error: save-configmap: no cluster to save to")


def test_results_too_large_for_a_configmap_are_refused() -> None:
    with pytest.raises(ResultsError, match="1000001 bytes do not fit into a ConfigMap; keep them on a volume"):
        check_size("x" * 1_000_001)


def test_the_control_address_follows_from_the_load_s() -> None:
    assert default_control_address("triton:8001", "grpc") == "triton:8001"
    assert default_control_address("triton:8000", "http") == "triton:8001"


@pytest.mark.parametrize("models", ["a,,b", "a,a", ","])
def test_models_are_different_names(
    models: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ladder", f"--repository={repository}", f"--models={models}", f"--output={tmp_path}"]) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: models: {models!r}")


def test_a_directory_without_models_is_no_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(tmp_path)]) == 2
    assert "no directory in it has a config.pbtxt" in _error(capsys)
    assert main(["serve", str(tmp_path / "absent")]) == 2
    assert "name an existing model repository" in _error(capsys)


def test_an_output_that_is_a_file_is_refused(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("")
    assert main(["ladder", f"--repository={repository}", f"--output={tmp_path / 'out'}"]) == 2
    assert _error(capsys).startswith("slo-tuner: error: output: ")


def test_a_taken_port_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main(["serve", str(repository), f"--grpc-port={port}"]) == 2
    assert _error(capsys).startswith(f"slo-tuner: error: grpc-port: {port} is not allowed; the port is not free")


@pytest.mark.slow
def test_a_server_that_is_not_there_is_an_error_with_its_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "m", "--address=127.0.0.1:1", f"--output={tmp_path}"]) == 1
    assert _error(capsys).startswith("slo-tuner: error: no Triton server answers gRPC at 127.0.0.1:1")


def test_a_python_without_tritonserver_is_named(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ladder", f"--repository={repository}", f"--output={tmp_path}", f"--server-python={sys.executable}"]
    assert main(arguments) == 1
    assert "has no package nvidia-pytriton; give --tritonserver PROGRAM" in _error(capsys)


def test_a_server_that_ends_at_once_is_quoted(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "tritonserver"
    program.write_text("#!/bin/sh\necho 'error: creating server: Internal - failed to load all models'\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    arguments = ["ladder", f"--repository={repository}", f"--output={tmp_path / 'out'}", f"--tritonserver={program}"]
    assert main(arguments) == 1
    message = _error(capsys)
    assert "tritonserver ended with exit code 1; error: creating server" in message
    assert os.fspath(tmp_path / "out" / "tritonserver.log") in message


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 9}', "[1, 2"])
def test_a_file_that_is_no_results_file_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    assert main(["report", str(path)]) == 2
    assert "is no results file of slo-tuner" in _error(capsys)
    assert not (tmp_path / "report.html").exists()


def test_an_absent_results_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent.json")]) == 2
    assert "absent.json cannot be read: No such file" in _error(capsys)
