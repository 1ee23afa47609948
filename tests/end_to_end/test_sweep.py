"""Sweeps through several addresses of the real tritonserver, over both protocols."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import run_tuner, started

pytestmark = pytest.mark.measures

MODEL = "onnx_fp32"


@pytest.fixture(scope="module")
def server(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of a server that serves the model."""
    log = tmp_path_factory.mktemp("server") / "tritonserver.log"
    arguments = ["serve", str(repository), f"--load={MODEL}", f"--server-python={server_python}", f"--log={log}"]
    with started("slo-tuner", arguments, until=r"^models: ") as (_, printed):
        found = re.search(r"gRPC (\S+), HTTP (\S+), metrics (\S+)", printed)
        assert found, printed
        yield dict(zip(("grpc", "http", "metrics"), found.groups(), strict=True))


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_every_way_is_swept_in_every_round(protocol: str, server: dict[str, str], tmp_path: Path) -> None:
    port = server[protocol].rpartition(":")[2]
    targets = [f"--through=service=127.0.0.1:{port}", f"--through=gateway=localhost:{port}"]
    where = [f"--protocol={protocol}", f"--control-address={server['grpc']}", f"--metrics-url={server['metrics']}"]
    done = run_tuner(["sweep", MODEL, *targets, *where, "--effort=smoke", "--rounds=2", f"--output={tmp_path}"])
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["run"]["protocol"], results["complete"]) == (protocol, True)
    assert [target["name"] for target in results["sweep"]["targets"]] == ["service", "gateway"]
    for target in results["sweep"]["targets"]:
        assert [[point["concurrency"] for point in one_round] for one_round in target["rounds"]] == [[1, 2], [1, 2]]
        for point in (point for one_round in target["rounds"] for point in one_round):
            assert point["requests"] > 0 and point["errors"] == 0
            assert point["server"]["requests"] > 0
    assert "service" in done.stdout and "<svg" in (tmp_path / "report.html").read_text()


def test_a_way_without_an_answer_is_named_with_its_reason(server: dict[str, str], tmp_path: Path) -> None:
    targets = [f"--through=service={server['grpc']}", f"--through=gateway={server['http']}"]
    done = run_tuner(["sweep", MODEL, *targets, f"--output={tmp_path}"])
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"slo-tuner: error: a request to '{MODEL}' at {server['http']} failed: UNAVAILABLE")
    assert not (tmp_path / "results.json").exists()
