"""Triton's own TLS, by the arguments that charts/triton gives it: measured over mutual TLS, and refused otherwise."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from certificates import Authority

from slo_tuner.access.client_access import Access
from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import MEASURED, ROOT, run_tuner

MODEL = "onnx_fp32"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def served(
    repository: Path, server_python: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonProcess]:
    """The real server with mutual TLS on gRPC; its HTTP has none."""
    pair, log = authority.pair("triton", "127.0.0.1"), tmp_path_factory.mktemp("server") / "log"
    arguments = [
        f"--load-model={MODEL}",
        "--grpc-use-ssl=true",
        f"--grpc-server-cert={pair.certificate}",
        f"--grpc-server-key={pair.key}",
        "--grpc-use-ssl-mutual=true",
        f"--grpc-root-cert={authority.ca}",
    ]
    program = find_tritonserver(server_python=server_python)
    with TritonProcess(program, repository, pick_ports(), log, arguments) as server:
        yield server


def test_tritons_mutual_tls_is_measured_and_refuses_others(
    served: TritonProcess, authority: Authority, tmp_path: Path
) -> None:
    client = authority.pair("client")
    reached = [f"--address=grpcs://{served.grpc_address}", f"--ca={authority.ca}", f"--output={tmp_path}"]
    command = ["measure", MODEL, *reached, "--objective=p95<=5000ms", "--rate=40", "--effort=smoke"]
    refused = run_tuner(command)
    assert refused.returncode == 1
    assert "it may demand a client certificate: --client-certificate and --client-key" in refused.stderr
    done = run_tuner([*command, f"--client-certificate={client.certificate}", f"--client-key={client.key}"])
    assert done.returncode in MEASURED, done.stderr
    (point,) = json.loads((tmp_path / "results.json").read_text())["models"][0]["points"]
    assert point["requests"] > 0 and point["errors"] == 0
    access = Access(authority.ca, client.certificate, client.key)
    with closing(Control(f"grpcs://{served.grpc_address}", served, access=access)) as control:
        assert control.is_ready(MODEL)


def test_helm_test_asks_a_server_with_tls_over_http(served: TritonProcess) -> None:
    script = ROOT / "charts" / "triton" / "files" / "smoke_test.py"
    command = [sys.executable, str(script), served.http_address, "", MODEL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"model {MODEL}: versions ['1'], over HTTP, as gRPC is behind TLS, it answered" in done.stdout
