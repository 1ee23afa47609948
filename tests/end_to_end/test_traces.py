"""Traces of the real tritonserver, started with the arguments that charts/triton gives it, at a collector."""

import http.server
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "chart"))

from render import one, render

MODEL, SERVICE = "onnx_fp32", "images"


class Collector(http.server.ThreadingHTTPServer):
    """Takes traces as a collector does, by OTLP over HTTP, and keeps the messages of each path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, bytes]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        assert isinstance(self.server, Collector)
        self.server.got.append((self.path, body))

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on loopback."""
    with Collector() as started:
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        try:
            yield started
        finally:
            started.shutdown()
            thread.join()


def _chart_arguments(url: str) -> list[str]:
    """What the chart adds for traces."""
    tracing = {"otlpUrl": url, "rate": 1, "serviceName": SERVICE}
    values = {
        "modelRepository": {"source": "url", "url": "gs://models"},
        "server": {"tracing": tracing},
        "networkPolicy": {"telemetryNamespaces": ["telemetry"]},
    }
    container = one(render(values), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return [argument for argument in container["args"] if argument.startswith("--trace-config")]


def test_each_traced_request_is_told_to_the_collector_with_its_model_and_service(
    repository: Path, server_python: str, collector: Collector, tmp_path: Path
) -> None:
    arguments = _chart_arguments(f"http://127.0.0.1:{collector.server_port}/v1/traces")
    program = find_tritonserver(server_python=server_python)
    started = [f"--load-model={MODEL}", *arguments]
    with TritonProcess(program, repository, pick_ports(), tmp_path / "log", started) as server:
        with closing(triton.InferenceServerClient(server.grpc_address)) as client:
            deadline = time.monotonic() + 60
            while not client.is_server_ready():
                server.check()
                assert time.monotonic() < deadline, server.last_words()
                time.sleep(0.1)
            tensor = triton.InferInput("image", [1, 160, 160, 3], "FP32")
            tensor.set_data_from_numpy(np.zeros((1, 160, 160, 3), np.float32))
            client.infer(MODEL, [tensor])
        # They are sent in batches, every few seconds.
        deadline = time.monotonic() + 30
        while not collector.got and time.monotonic() < deadline:
            time.sleep(0.1)
    sent = b"".join(body for path, body in collector.got if path == "/v1/traces")
    for told in (SERVICE, "service.name", MODEL, "triton.model_name", "InferRequest", "compute"):
        assert told.encode() in sent, told
