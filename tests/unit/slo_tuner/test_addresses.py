"""Addresses: IPv6 in brackets reaches every kind of server, and what cannot be right is one line."""

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

import pytest
from known_server import known_server
from trivial import assignment

from command_line.arguments import check_address, default_control_address, split_address
from command_line.errors import UsageError
from slo_tuner.cli import main
from slo_tuner.load.locust_settings import read_settings
from slo_tuner.load.master import LoadMaster, WorkerRendezvous
from slo_tuner.triton.control import Control
from slo_tuner.triton.server_metrics import Counters, MetricsEndpoint


class Answering(BaseHTTPRequestHandler):
    """Answers every request over HTTP, as a metrics endpoint does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"{}")

    def do_GET(self) -> None:
        self._answer(b'nv_inference_request_success{model="m",version="1"} 3\n')

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def http_address() -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        address_family = AF_INET6
        daemon_threads = True

    with Server(("::1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"[::1]:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("before", ["", "dns:///"])
def test_grpc_reaches_a_server_at_an_ipv6_address(before: str) -> None:
    with known_server("fixed", 1, host="::1") as server:
        address = check_address("address", before + server.address)
        with closing(Control(address)) as control:
            control.check_reachable(30.0)
        with closing(assignment(address).route().transport) as transport:
            assert transport.send() > 0


def test_http_reaches_a_server_at_an_ipv6_address(http_address: str) -> None:
    with closing(assignment(http_address, "http").route().transport) as transport:
        assert transport.send() == 2


def test_metrics_are_read_at_an_ipv6_address(http_address: str) -> None:
    assert MetricsEndpoint(f"http://{http_address}/metrics").counters("m") == Counters(requests=3)


def test_load_workers_come_to_an_ipv6_address() -> None:
    master = LoadMaster(WorkerRendezvous(0, "::1"))
    with master:
        host, port = split_address(check_address("workers-at", master.address))
        assert host == "::1" and port > 0


def test_the_control_address_beside_an_ipv6_address_is_one() -> None:
    assert default_control_address("[::1]:8000", "http") == "[::1]:8001"


@pytest.mark.parametrize("text", ["::1:8001", "[::1:8001", "::1]:8001", "[localhost]:8001", "[]:8001", "1:2:3"])
def test_an_ipv6_address_without_its_brackets_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="in brackets"):
        check_address("address", text)


def test_dns_names_of_grpc_are_refused_for_http(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "m", "--address=dns:///triton:8000", "--protocol=http"]) == 2
    assert main(["sweep", "m", "--through=a=dns:///triton:8000", "--protocol=http"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    allowed = "is not allowed; dns:/// is for gRPC alone; for http write it as host:port"
    assert first == f"slo-tuner: error: address: 'dns:///triton:8000' {allowed}"
    assert second == f"slo-tuner: error: through: 'dns:///triton:8000' {allowed}"
    with pytest.raises(UsageError, match=r"SLO_TUNER_ADDRESS: .*dns:/// is for gRPC alone"):
        read_settings({"SLO_TUNER_MODEL": "m", "SLO_TUNER_PROTOCOL": "http", "SLO_TUNER_ADDRESS": "dns:///triton:8000"})
