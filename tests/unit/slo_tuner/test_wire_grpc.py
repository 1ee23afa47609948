"""The load over gRPC on raw sockets: against gRPC's own server, and against one that goes to HTTP/2's limits."""

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import gevent
import numpy as np
import pytest
from known_server import known_server
from scripted_peer import BODY, peer, read_exactly, send_all, work_for
from trivial import assignment, trivial_server

from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.load.generator import InProcess
from slo_tuner.load.request_log import RequestLog
from slo_tuner.load.request_outcome import RequestOutcome
from slo_tuner.load.sender_load import SenderLoad
from slo_tuner.load.wire.frames import frame

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
MESSAGE = b"\0" + struct.pack(">I", len(BODY)) + BODY
STATUS_200 = b"\x88"


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


def _trailers(status: int = 0, message: bytes = b"") -> bytes:
    return _literal(b"grpc-status", b"%d" % status) + (_literal(b"grpc-message", message) if message else b"")


class Server:
    """One connection of HTTP/2 seen from the server: frames as they come, and windows that must not be overrun."""

    def __init__(self, connection: socket.socket, **settings: int) -> None:
        self.socket, self.most_frame = connection, settings.get("frame", 16_384)
        self.window, self.stream_window = 65_535, 65_535
        self._asked_window = settings.get("window", 65_535)
        self.bodies: dict[int, bytearray] = {}
        self.windows: dict[int, int] = {}
        self.complete: list[int] = []
        assert read_exactly(connection, 24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        pairs = {4: self._asked_window, 5: self.most_frame, 3: settings.get("streams", 1000)}
        self.send(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs.items()))

    def send(self, kind: int, flags: int, stream: int, content: bytes = b"") -> None:
        self.socket.sendall(frame(kind, flags, stream, content))

    def answer(self, stream: int) -> None:
        self.send(HEADERS, 4, stream, STATUS_200)
        self.send(DATA, 0, stream, b"\0\0\0\0\0")
        self.send(HEADERS, 5, stream, _trailers())

    def next_frame(self) -> tuple[int, int, int, bytes]:
        high, low, kind, flags, stream = struct.unpack(">HBBBI", read_exactly(self.socket, 9))
        content = read_exactly(self.socket, high << 8 | low)
        if kind == HEADERS:
            assert stream > max(self.bodies, default=0), "numbers of streams ascend"
            self.bodies[stream], self.windows[stream] = bytearray(), self.stream_window
        if kind == SETTINGS and flags & 1:  # from now on they hold, for streams that are open, too
            change, self.stream_window = self._asked_window - self.stream_window, self._asked_window
            self.windows = {number: window + change for number, window in self.windows.items()}
        if kind == DATA:
            assert len(content) <= self.most_frame
            self.window -= len(content)
            self.windows[stream] -= len(content)
            assert not content or (self.window >= 0 and self.windows[stream] >= 0), "no window is overrun"
            self.bodies[stream] += content
            if flags & 1:
                assert bytes(self.bodies[stream]) == MESSAGE
                self.complete.append(stream)
        return kind, flags, stream, content

    def widen(self, stream: int, by: int) -> None:
        self.window += by
        self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", by))
        if stream:
            self.windows[stream] += by
            self.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", by))

    def take_request(self) -> int:
        """The stream of the next complete request, its windows kept open."""
        before = len(self.complete)
        while len(self.complete) == before:
            kind, flags, stream, content = self.next_frame()
            if kind == DATA:
                self.widen(0 if flags & 1 else stream, len(content))
        return self.complete[-1]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with trivial_server() as found:
        yield found


@pytest.mark.slow
def test_grpcs_own_server_answers_each_request_once(address: str) -> None:
    rows, failures = send_all(assignment(address), 200, apart_s=0.001)
    assert failures == {} and len(rows) == 200 and rows.ok.all()
    assert np.allclose(rows.due, np.arange(200) * 0.001)


@pytest.mark.slow
def test_grpcs_own_server_takes_requests_larger_than_its_windows(address: str) -> None:
    rows, failures = send_all(work_for(address, "grpc"), 40)
    assert failures == {} and rows.ok.all() and len(rows) == 40


# As charts/triton limits the age of connections, so that long-lived clients find new Pods.
SHORT_LIVED = """
import grpc
from concurrent import futures

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"done")

options = [("grpc.max_connection_age_ms", 200), ("grpc.max_connection_age_grace_ms", 5000)]
server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
server.add_generic_rpc_handlers((Handler(),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination(60)
"""


@pytest.mark.slow
def test_connections_whose_age_grpcs_server_limits_cost_no_request() -> None:
    server = subprocess.Popen([sys.executable, "-c", SHORT_LIVED], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        where = f"127.0.0.1:{int(server.stdout.readline())}"
        rows, failures = send_all(work_for(where, "grpc"), 300, apart_s=0.005)
    finally:
        server.kill()
        server.communicate()
    assert failures == {} and len(rows) == 300 and rows.ok.all()


@pytest.mark.slow
def test_both_generators_send_the_same_schedule_and_see_the_same_latencies() -> None:
    schedule = poisson_arrivals(60.0, 1.5, 4)
    seen = {}
    with known_server("fixed", 60) as server:
        for name, work in (("sockets", assignment(server.address)), ("users", assignment(server.address).route())):
            with closing(InProcess(work)) as generator:
                run = generator.open(schedule)
                assert run.join(30)
                seen[name] = RequestLog.joined([run.take()])
                run.close()
    sockets, users = seen["sockets"], seen["users"]
    assert sockets.due.tolist() == users.due.tolist() == schedule.tolist()
    assert sockets.ok.all() and users.ok.all()
    assert sockets.latency_ms.min() >= 60 and np.median(sockets.latency_ms) < np.median(users.latency_ms) + 20


@pytest.mark.slow
def test_a_failure_of_the_model_is_told_as_grpc_tells_it() -> None:
    with known_server("fail", 2, 1) as server:
        rows, failures = send_all(assignment(server.address), 4, apart_s=0.05)
    assert failures == {"INTERNAL: told to fail": 2}
    assert sorted(rows.outcome) == [RequestOutcome.FAILED] * 2 + [RequestOutcome.ANSWERED] * 2


@pytest.mark.slow
def test_a_request_without_an_answer_times_out() -> None:
    with known_server("never") as server:
        work = assignment(server.address)
        rows, failures = send_all(type(work)("grpc", server.address, 0.3, work.payloads), 3)
    assert sum(failures.values()) == 3
    assert all(reason.startswith("DEADLINE_EXCEEDED") for reason in failures)
    assert (rows.done - rows.sent < 2.0).all()


def test_a_server_that_is_lost_fails_what_is_under_way_and_comes_back_for_the_rest() -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        stream = server.take_request()
        if number > 0:
            server.answer(stream)
            server.next_frame()

    with peer(script) as where, closing(SenderLoad(work_for(where, "grpc"))) as load:
        for expected in (False, True):
            run = load.open(np.zeros(1))
            assert run.join(30)
            rows = run.take()
            assert rows.ok.tolist() == [expected]
            assert expected or list(run.errors_between(0, 1)) == ["UNAVAILABLE: the server closed the connection"]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        where = f"127.0.0.1:{closed.getsockname()[1]}"
    rows, failures = send_all(work_for(where, "grpc"), 3)
    assert failures == {"UNAVAILABLE: failed to connect: Connection refused": 3} and len(rows) == 3


@pytest.mark.parametrize("settings", [{}, {"window": 1000}, {"window": 1 << 20, "frame": 1 << 20}, {"window": 0}])
def test_no_window_and_no_frame_is_larger_than_the_server_allows(settings: dict[str, int]) -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection, **settings)
        while True:
            kind, flags, stream, content = server.next_frame()
            if kind == HEADERS:
                server.widen(stream, 500)
            if kind == DATA and not flags & 1:
                server.widen(stream, 2 * len(content) + max(0, -server.windows[stream]))
            elif kind == DATA:
                server.answer(stream)

    with peer(script) as where, closing(SenderLoad(work_for(where, "grpc"))) as load:
        run = load.open(np.array([0.0, 0.1, 0.1]))
        assert run.join(30)
        assert run.take().ok.tolist() == [True] * 3 and not run.errors_between(0, 9)


def test_pings_and_settings_are_acknowledged() -> None:
    seen = []

    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        server.send(PING, 0, 0, b"12345678")
        stream = None
        while len(seen) < 2 or stream is None:
            kind, flags, number_of, content = server.next_frame()
            if kind in (PING, SETTINGS) and flags & 1:
                seen.append((kind, content))
            if kind == DATA:
                server.widen(0 if flags & 1 else number_of, len(content))
                stream = number_of if flags & 1 else stream
        server.answer(stream)
        server.next_frame()

    with peer(script) as where:
        rows, _ = send_all(work_for(where, "grpc"))
    assert rows.ok.all() and sorted(seen) == [(SETTINGS, b""), (PING, b"12345678")]


def test_a_server_that_leaves_ends_what_it_has_begun_and_the_rest_goes_to_its_next_connection() -> None:
    answered = []

    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        first = server.take_request()
        if number == 0:
            server.send(GOAWAY, 0, 0, struct.pack(">II", first, 0))
            gevent.sleep(0.1)
        server.answer(first)
        answered.append(number)
        while True:
            stream = server.take_request()
            assert number > 0, "what comes after a GOAWAY goes elsewhere"
            server.answer(stream)
            answered.append(number)

    with peer(script) as where:
        rows, failures = send_all(work_for(where, "grpc"), 3, apart_s=0.05)
    assert failures == {} and rows.ok.all() and sorted(answered) == [0, 1, 1]


def test_a_refused_stream_is_sent_once_more() -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        server.send(RST_STREAM, 0, server.take_request(), struct.pack(">I", 7))
        server.answer(server.take_request())
        server.next_frame()

    with peer(script) as where:
        rows, failures = send_all(work_for(where, "grpc"))
    assert failures == {} and rows.ok.tolist() == [True]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([(HEADERS, 5, STATUS_200 + _trailers(8, b"no%20room"))], "RESOURCE_EXHAUSTED: no room"),
        ([(HEADERS, 4, STATUS_200), (HEADERS, 5, _trailers(14, b"Request timeout expired"))], "UNAVAILABLE: Request t"),
        ([(HEADERS, 5, b"\x08\x03503")], "UNAVAILABLE: the answer is HTTP 503 without a status of gRPC"),
        ([(HEADERS, 4, STATUS_200), (DATA, 1, b"")], "UNKNOWN: the answer has no status of gRPC"),
        ([(RST_STREAM, 0, struct.pack(">I", 2))], "INTERNAL: the server reset the stream with error 2"),
        ([(HEADERS, 5, b"\xff\x10")], "INTERNAL: headers that can't be read"),
    ],
)
def test_every_way_in_which_an_answer_fails_has_its_reason(frames: list[tuple[int, int, bytes]], reason: str) -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        stream = server.take_request()
        for kind, flags, content in frames:
            server.send(kind, flags, stream, content)
        server.next_frame()

    with peer(script) as where:
        rows, failures = send_all(work_for(where, "grpc"))
    (said,) = failures
    assert said.startswith(reason) and not rows.ok.any()


def test_headers_in_pieces_with_padding_and_priority_are_read() -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        stream = server.take_request()
        server.send(HEADERS, 0x4 | 0x8 | 0x20, stream, b"\x02" + bytes(5) + STATUS_200 + b"\0\0")
        trailers = _trailers()
        server.send(HEADERS, 1, stream, trailers[:4])
        server.send(CONTINUATION, 4, stream, trailers[4:])
        server.next_frame()

    with peer(script) as where:
        rows, failures = send_all(work_for(where, "grpc"))
    assert failures == {} and rows.ok.all()


def test_no_more_streams_are_open_than_the_server_allows() -> None:
    most = []

    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection, streams=2)
        answered = 0
        while True:
            stream = server.take_request()
            most.append(len(server.bodies) - answered)
            gevent.sleep(0.02)
            server.answer(stream)
            answered += 1

    with peer(script) as where, closing(SenderLoad(work_for(where, "grpc"))) as load:
        first = load.open(np.zeros(1))
        assert first.join(30)
        run = load.open(np.zeros(6))
        assert run.join(30)
        assert run.take().ok.all() and max(most) <= 2


def test_an_answer_before_the_request_was_sent_ends_it() -> None:
    """As of a server that refuses large messages: it does not read on."""

    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection, window=100)
        while server.next_frame()[0] != DATA:
            pass
        server.send(HEADERS, 5, 1, STATUS_200 + _trailers(8, b"too large"))
        while server.next_frame()[0] != RST_STREAM:
            pass
        connection.close()

    with peer(script) as where:
        _, failures = send_all(work_for(where, "grpc"))
    assert failures == {"RESOURCE_EXHAUSTED: too large": 1}


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", frame(WINDOW_UPDATE, 0, 0, b""), frame(RST_STREAM, 0, 1, b"1")]
)
def test_what_is_no_http2_is_a_lost_connection(said: bytes) -> None:
    def script(connection: socket.socket, number: int) -> None:
        server = Server(connection)
        server.take_request()
        connection.sendall(said)
        server.next_frame()

    with peer(script) as where:
        _, failures = send_all(work_for(where, "grpc"))
    assert failures == {"UNAVAILABLE: the server does not speak HTTP/2 as gRPC needs it": 1}
