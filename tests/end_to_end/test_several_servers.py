"""Two real tritonservers measured as one target, over both protocols, by one process and by two workers."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .conftest import run_tuner, started

pytestmark = pytest.mark.measures

MODEL = "onnx_fp32"


@pytest.fixture(scope="module")
def servers(
    repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """The addresses of two servers that serve the model."""
    log = tmp_path_factory.mktemp("servers")
    found: dict[str, list[str]] = {"grpc": [], "http": [], "metrics": []}
    with ExitStack() as stack:
        for number in range(2):
            where = [f"--server-python={server_python}", f"--log={log / f'{number}.log'}"]
            arguments = ["serve", str(repository), f"--load={MODEL}", *where]
            _, printed = stack.enter_context(started("slo-tuner", arguments, until=r"^models: "))
            said = re.search(r"gRPC (\S+), HTTP (\S+), metrics (\S+)", printed)
            assert said, printed
            for kind, address in zip(found, said.groups(), strict=True):
                found[kind].append(address)
        yield found


@pytest.mark.parametrize(("protocol", "workers"), [("grpc", 1), ("http", 2)])
def test_both_servers_get_the_same_share_and_say_so_themselves(
    protocol: str, workers: int, servers: dict[str, list[str]], tmp_path: Path
) -> None:
    where = {kind: ",".join(found) for kind, found in servers.items()}
    options = [f"--address={where[protocol]}", f"--control-address={where['grpc']}", f"--protocol={protocol}"]
    load = [f"--workers={workers}", f"--metrics-url={where['metrics']}", "--objective=p95<=2000ms"]
    done = run_tuner(["measure", MODEL, *options, *load, "--rate=50", "--effort=smoke", f"--output={tmp_path}"])
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    (point,) = results["models"][0]["points"]
    assert [server["address"] for server in point["servers"]] == servers[protocol]
    assert [server["share"] for server in point["servers"]] == pytest.approx([0.5, 0.5], abs=0.05)
    assert all(server["counted"] > 0 and server["errors"] == 0 for server in point["servers"])
    assert point["server"]["requests"] == sum(server["counted"] for server in point["servers"])
    assert point["server_cpu_ms"] > 0 and 0 < point["generator_cores"] < 2
    assert "2 servers, busiest 1." in done.stderr and servers[protocol][1] in (tmp_path / "report.html").read_text()
