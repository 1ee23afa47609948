"""Load, questions and metrics over TLS: on real servers, by both load generators, with every wrong certificate."""

import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from certificates import Authority
from known_server import MODEL, Guard, known_server
from scripted_peer import peer, send_all, work_for
from trivial import trivial_server

from command_line.errors import ServerError
from slo_tuner.access.client_access import Access
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload
from slo_tuner.load.transport import RequestError
from slo_tuner.triton.control import Control
from slo_tuner.triton.server_metrics import MetricsEndpoint

HOSTS = ("127.0.0.1", "localhost")
TOKEN = (("authorization", "Bearer right"),)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> Access:
    return Access(ca=authority.ca)


def _guard(authority: Authority, name: str = "server", *hosts: str, **more: object) -> Guard:
    pair = authority.pair(name, *(hosts or HOSTS), expired=bool(more.pop("expired", False)))
    return Guard(str(pair.certificate), str(pair.key), **more)  # type: ignore[arg-type]


def _work(address: str, access: Access, protocol: str = "grpc", body: bytes = b"x" * 300_000) -> Assignment:
    scheme = "grpcs" if protocol == "grpc" else "https"
    return Assignment(protocol, f"{scheme}://{address}", 5.0, (Payload("m", 1, body, b"{}" + body, 2),), access=access)


def _unreachable(address: str, access: Access) -> str:
    """What is said of a server that can't be asked anything."""
    with closing(Control(address, access=access, server_name=access.server_name)) as control:
        with pytest.raises(ServerError) as refused:
            control.check_reachable()
        return str(refused.value)


def _reason(work: Assignment) -> str:
    """Why the one request failed."""
    rows, failures = send_all(work)
    assert len(rows) == 1 and not rows.ok.any()
    (reason,) = failures
    return reason


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_large_requests_are_answered_over_tls_by_the_sockets_and_by_the_librarys_client(
    protocol: str, authority: Authority, trusting: Access
) -> None:
    pair = authority.pair(f"trivial-{protocol}", *HOSTS)
    with trivial_server(protocol, "--tls", str(pair.certificate), str(pair.key)) as address:
        work = _work(address, trusting, protocol)
        rows, failures = send_all(work, 100, apart_s=0.002)
        assert failures == {} and len(rows) == 100 and rows.ok.all()
        with closing(work.route().transport) as transport:
            assert transport.send() > 0


@pytest.mark.slow
def test_questions_and_load_pass_a_guard_of_tls_client_certificate_and_token(authority: Authority) -> None:
    client, guard = authority.pair("client"), _guard(authority, client_ca=str(authority.ca), headers=TOKEN)
    access = Access(authority.ca, client.certificate, client.key, token_value="right")
    with known_server("fixed", 1, guard=guard) as server:
        with closing(Control(f"grpcs://{server.address}", access=access)) as control:
            control.check_reachable()
            assert control.models() == [MODEL] and control.metadata(MODEL).inputs[0].name == "x"
        body = b""
        rows, failures = send_all(_work(server.address, access, body=body), 20)
        assert failures == {} and rows.ok.all()
        without = Access(authority.ca, token_value="right")
        demanded = "it may demand a client certificate: --client-certificate and --client-key"
        assert demanded in _unreachable(f"grpcs://{server.address}", without)
        assert demanded in _reason(_work(server.address, without, body=body))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "reason", "said"),
    [
        ("", "UNAUTHENTICATED: refused by the guard", "does not know the client by no token (--token-file)"),
        ("wrong", "PERMISSION_DENIED: refused by the guard", "forbids it to the client with the token"),
    ],
)
def test_a_missing_or_wrong_token_is_said_in_one_line(token: str, reason: str, said: str) -> None:
    access = Access(token_value=token)
    with known_server("fixed", 1, guard=Guard(headers=TOKEN)) as server:
        assert (
            _unreachable(server.address, access)
            == f"no Triton server answers gRPC at {server.address}: the server {said}"
        )
        work = Assignment("grpc", server.address, 5.0, (Payload("m", 1, b"", b"", 0),), access=access)
        assert _reason(work) == reason
        with closing(work.route().transport) as transport, pytest.raises(RequestError, match=reason):
            transport.send()


@pytest.mark.slow
def test_each_wrong_certificate_is_said_in_one_line(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another CA")
    cases = [
        (_guard(authority, "expired", expired=True), authority.ca, "", "the server's certificate has expired"),
        (
            _guard(authority, "named", "inference.example"),
            authority.ca,
            "",
            "certificate is not for 127.0.0.1: --server",
        ),
        (_guard(authority, "good"), authority.ca, "other.example", "the server's certificate is not for other.example"),
        (_guard(authority, "foreign"), other.ca, "", "the server's certificate is of a CA that is not trusted: --ca"),
        (Guard(), authority.ca, "", "the server there does not speak TLS: leave out --tls"),
    ]
    for guard, ca, name, said in cases:
        access = Access(ca=ca, server_name=name)
        with known_server("fixed", 1, guard=guard) as server:
            address = f"grpcs://{server.address}"
            refused = _unreachable(address, access)
            assert said in refused and len(refused.splitlines()) == 1, refused
            work = Assignment("grpc", address, 5.0, (Payload("m", 1, b"", b"", 0),), server_names=[name], access=access)
            assert said in _reason(work), said


@pytest.mark.slow
def test_a_plain_address_of_a_server_behind_tls_says_that_it_is(authority: Authority) -> None:
    with known_server("fixed", 1, guard=_guard(authority)) as server:
        assert "the server there speaks TLS: add --tls, or write grpcs://" in _unreachable(server.address, Access())


@pytest.mark.slow
def test_the_server_name_is_checked_in_place_of_the_address_and_sent_as_authority(authority: Authority) -> None:
    guard = _guard(authority, "by-name", "inference.example", headers=((":authority", "inference.example"),))
    access = Access(ca=authority.ca, server_name="inference.example")
    with known_server("fixed", 1, guard=Guard(guard.certificate, guard.key)) as server:
        names = ["inference.example"]
        work = Assignment(
            "grpc",
            f"grpcs://{server.address}",
            5.0,
            (Payload("m", 1, b"", b"", 0),),
            server_names=names,
            access=access,
        )
        rows, failures = send_all(work)
        assert failures == {} and rows.ok.all()
        with closing(work.route().transport) as transport:
            assert transport.send() > 0


def test_a_server_that_ends_the_handshake_fails_the_request_and_not_the_load(trusting: Access) -> None:
    with peer(lambda connection, _: None) as address:
        assert "the server ended the TLS handshake" in _reason(_work(address, trusting))
        assert "the server ended the TLS handshake" in _reason(_work(address, trusting, "http"))


def test_a_server_that_never_shakes_hands_is_timed_out(trusting: Access) -> None:
    with peer(lambda connection, _: gevent.sleep(10)) as address:
        work = work_for(address, "grpc", timeout_s=0.3)
        secure = Assignment("grpc", f"grpcs://{address}", 0.3, work.payloads, access=trusting)
        assert _reason(secure).startswith("DEADLINE_EXCEEDED")


@pytest.fixture
def secure_metrics(authority: Authority) -> Iterator[tuple[str, list[str | None]]]:
    """Metrics behind TLS, and the Authorization headers that came."""
    seen: list[str | None] = []

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            status = 200 if seen[-1] == "Bearer right" else 401
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'nv_inference_request_success{model="m",version="1"} 3\n')

        def log_message(self, *_: object) -> None:
            """Nothing to print."""

    pair = authority.pair("metrics", *HOSTS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"https://127.0.0.1:{server.server_port}/metrics", seen
    server.shutdown()
    serving.join()
    server.server_close()


def test_metrics_are_read_over_tls_with_the_token(
    secure_metrics: tuple[str, list[str | None]], authority: Authority
) -> None:
    url, seen = secure_metrics
    found = MetricsEndpoint(url, access=Access(ca=authority.ca, token_value="right")).counters("m")
    assert found.requests == 3 and seen == ["Bearer right"]
    with pytest.raises(ServerError, match="the answer is 401 Unauthorized: the server does not know the client by no"):
        MetricsEndpoint(url, access=Access(ca=authority.ca)).check()
    with pytest.raises(ServerError, match="certificate is of a CA that is not trusted: --ca names its file"):
        MetricsEndpoint(url).check()


@pytest.mark.slow
def test_no_token_stands_in_a_command_line_a_log_or_the_results(authority: Authority, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("right")
    guard = _guard(authority, "for-workers", headers=(*TOKEN, ("x-key", "hidden")))
    with known_server("fixed", 1, guard=guard) as server:
        command = [
            *(sys.executable, "-m", "slo_tuner", "measure", MODEL, f"--address=grpcs://{server.address}"),
            *(f"--ca={authority.ca}", f"--token-file={token}", "--header=x-key=hidden", "--workers=2"),
            *("--rate=50", "--effort=smoke", f"--output={tmp_path / 'out'}", "--objective=p95<=5000ms"),
        ]
        tuner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        server.requests(5)
        others = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.parent.name != str(tuner.pid)
        ]
        said, _ = tuner.communicate(timeout=60)
    assert tuner.returncode in (0, 3, 4), said
    assert sum(b"slo_tuner\0worker" in line for line in others) >= 2
    assert not any(b"hidden" in line or b"Bearer" in line for line in others)
    written = "".join(path.read_text(errors="replace") for path in (tmp_path / "out").glob("*.*"))
    assert '"token": true' in written and "--header=x-key=..." in written
    for text in (said, written):
        assert "Bearer" not in text and "hidden" not in text
