"""No proxy stands between the load and a near server, whatever the environment says; a far one's is named."""

import threading
from collections.abc import Iterator
from contextlib import closing
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from known_server import known_server
from trivial import assignment

from command_line.proxy import is_near, proxy_for
from slo_tuner.load.messages import Assignment
from slo_tuner.load.transport import RequestError
from slo_tuner.triton.control import Control
from slo_tuner.triton.server_metrics import MetricsEndpoint

NAMES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


class CountingProxy(ThreadingTCPServer):
    """Counts who comes, and lets nobody through."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Refusing)

    @property
    def url(self) -> str:
        """As the environment names it."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Refusing(StreamRequestHandler):
    """Keeps the request's first line."""

    def handle(self) -> None:
        assert isinstance(self.server, CountingProxy)
        self.server.asked.append(self.rfile.readline())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    """One that every variable of the environment names."""
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with CountingProxy() as server:
        for name in NAMES:
            monkeypatch.setenv(name, server.url)
            monkeypatch.setenv(name.upper(), server.url)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_nothing_goes_through_a_proxy_to_this_machine(proxy: CountingProxy) -> None:
    with known_server("fixed", 1) as server:
        with closing(Control(server.address)) as control:
            control.check_reachable(30.0)
        with closing(assignment(server.address).route().transport) as transport:
            assert transport.send() > 0
    for call in (
        lambda: assignment("127.0.0.1:9", "http").route().transport.send(),
        MetricsEndpoint("http://127.0.0.1:9/metrics").check,
    ):
        with pytest.raises(Exception, match="refused"):
            call()
    assert proxy.asked == []


def test_a_proxy_that_is_asked_for_is_taken_to_this_machine_too(proxy: CountingProxy) -> None:
    work = assignment("127.0.0.1:9")
    asked = Assignment(work.protocol, work.address, 5.0, work.payloads, proxy=True)
    with closing(asked.route().transport) as transport, pytest.raises(RequestError):
        transport.send()
    assert proxy.asked and proxy.asked[0].startswith(b"CONNECT 127.0.0.1:9 ")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "a.localhost",
        "127.0.0.1",
        "::1",
        "10.4.0.7",
        "192.168.1.1",
        "fd00::1",
        "triton",
        "triton.ns.svc",
        "triton.ns.svc.cluster.local",
        "triton.ns.svc.example.org",
        "100.64.0.1",
        "169.254.1.1",
    ],
)
def test_this_machine_and_the_cluster_are_near(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "no-such-host.invalid"])
def test_public_addresses_and_names_that_only_a_proxy_may_know_are_far(host: str) -> None:
    assert not is_near(host)


@pytest.mark.parametrize(
    ("address", "environment", "expected"),
    [
        ("8.8.8.8:8001", {}, ""),
        ("8.8.8.8:8001", {"http_proxy": "http://user:secret@proxy:3128/"}, "proxy:3128"),
        ("dns:///8.8.8.8:8001", {"https_proxy": "http://proxy:3128"}, "proxy:3128"),
        ("8.8.8.8:8001", {"grpc_proxy": "http://first:1", "http_proxy": "http://second:2"}, "first:1"),
        ("8.8.8.8:8001", {"all_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128"}, ""),
        ("8.8.8.8:8001", {"http_proxy": "socks5://proxy:1080"}, ""),
        ("8.8.8.8:8001", {"http_proxy": "http://proxy:3128", "no_proxy": "example.org, 8.8.0.0/16"}, ""),
        ("10.0.0.1:8001", {"http_proxy": "http://proxy:3128"}, ""),
    ],
)
def test_the_proxy_is_the_one_that_grpc_takes(address: str, environment: dict[str, str], expected: str) -> None:
    assert proxy_for(address, environment=environment) == expected


def test_a_near_address_has_a_proxy_where_one_is_asked_for() -> None:
    assert proxy_for("10.0.0.1:8001", asked=True, environment={"http_proxy": "http://proxy:3128"}) == "proxy:3128"
