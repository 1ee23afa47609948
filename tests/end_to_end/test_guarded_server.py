"""The real server behind a real gateway with TLS and a token check: load, questions, metrics, workers and Locust."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import MEASURED, ROOT, run_tuner, started
from .gateway import MUTUAL, TOKEN, Gateway, Servers, gateway

MODEL = "onnx_fp32"


@pytest.fixture(scope="module")
def guarded(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server of the model, and the gateway before it."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "wrong").write_text("another-token\n")
    where = [f"--server-python={server_python}", f"--log={folder / 'server.log'}"]
    with started("slo-tuner", ["serve", str(repository), f"--load={MODEL}", *where], until=r"^models: ") as (
        _,
        printed,
    ):
        said = re.search(r"gRPC (\S+), HTTP (\S+), metrics http://(\S+?)/", printed)
        assert said, printed
        with gateway(Servers(*said.groups()), folder) as running:
            yield running


def _measure(guarded: Gateway, address: str, output: Path, *options: str) -> list[str]:
    reached = [f"--address={address}", f"--ca={guarded.authority.ca}", f"--output={output}"]
    return ["measure", MODEL, *reached, "--objective=p95<=5000ms", "--rate=40", "--effort=smoke", *options]


@pytest.mark.parametrize(("scheme", "workers"), [("grpcs", 2), ("https", 1)])
def test_a_server_behind_tls_and_a_token_is_measured(
    scheme: str, workers: int, guarded: Gateway, tmp_path: Path
) -> None:
    metrics = f"--metrics-url=https://{guarded.address}/metrics"
    token = f"--token-file={guarded.folder / 'token'}"
    options = [metrics, token, f"--workers={workers}", "--header=x-tenant=a"]
    done = run_tuner(_measure(guarded, f"{scheme}://{guarded.address}", tmp_path, *options))
    assert done.returncode in MEASURED, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["run"]["protocol"] == {"grpcs": "grpc", "https": "http"}[scheme]
    assert results["run"]["access"] == {
        "tls": True,
        "client_certificate": False,
        "token": True,
        "headers": ["x-tenant"],
        "server_name": "",
        "retries": False,
    }
    (point,) = results["models"][0]["points"]
    assert point["errors"] == 0 and point["server"]["requests"] > 0 and point["server_missing"] == ""
    written = "".join(path.read_text(errors="replace") for path in tmp_path.glob("*.*"))
    assert TOKEN not in written + done.stdout + done.stderr and "x-tenant=a" not in written


def test_a_client_certificate_opens_what_demands_one(guarded: Gateway, tmp_path: Path) -> None:
    client = guarded.authority.pair("client")
    token = f"--token-file={guarded.folder / 'token'}"
    named = _measure(guarded, f"grpcs://{guarded.address}", tmp_path, token, f"--server-name={MUTUAL}")
    without = run_tuner(named)
    assert without.returncode == 1
    assert "the server demands a client certificate: --client-certificate and --client-key" in without.stderr
    done = run_tuner([*named, f"--client-certificate={client.certificate}", f"--client-key={client.key}"])
    assert done.returncode in MEASURED, done.stderr
    access = json.loads((tmp_path / "results.json").read_text())["run"]["access"]
    assert access["client_certificate"] and access["server_name"] == MUTUAL


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "the server does not know the client by no token (--token-file)"),
        (["--token-file={folder}/wrong"], "the server forbids it to the client with the token"),
        (["--server-name=other.example"], "the server's certificate is not for other.example"),
        (["--ca=/etc/ssl/certs/ca-certificates.crt"], "the server's certificate is of a CA that is not trusted"),
    ],
)
def test_what_the_gateway_refuses_is_one_line(options: list[str], said: str, guarded: Gateway, tmp_path: Path) -> None:
    chosen = [option.format(folder=guarded.folder) for option in options]
    done = run_tuner(_measure(guarded, f"grpcs://{guarded.address}", tmp_path, *chosen))
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1 and said in lines[0], done.stderr
    assert not (tmp_path / "results.json").exists()


def test_plain_locust_passes_the_gateway_and_judges(guarded: Gateway) -> None:
    environment = {
        "SLO_TUNER_MODEL": MODEL,
        "SLO_TUNER_ADDRESS": f"grpcs://{guarded.address}",
        "SLO_TUNER_CA": str(guarded.authority.ca),
        "SLO_TUNER_TOKEN": TOKEN,
        "SLO_TUNER_OBJECTIVE": "p95<=5000ms",
        "SLO_TUNER_WARM_UP_S": "0.2",
    }
    locust = str(Path(sys.executable).with_name("locust"))
    command = [locust, "-f", str(ROOT / "slo_tuner" / "locustfile.py"), "--headless", "-u", "2", "-r", "20", "-t", "3s"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment
    )
    assert done.returncode in MEASURED, done.stderr
    assert re.search(r"slo-tuner: objective p95<=5000ms: \w+; [1-9]\d* requests, \d+ late, 0 failed", done.stdout)
    assert TOKEN not in done.stdout + done.stderr
