"""The load over HTTP/1.1 on raw sockets, against servers that answer in every way that HTTP allows, and in others."""

import re
import socket
from collections.abc import Callable
from contextlib import closing

import gevent
import numpy as np
import pytest
from scripted_peer import BODY, Script, peer, read_exactly, send_all, work_for

from slo_tuner.load.request_outcome import RequestOutcome
from slo_tuner.load.sender_load import SenderLoad

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def _request(connection: socket.socket) -> bytes:
    """The head of the next request, its body read and compared."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(connection, 1)
    assert b"\r\nContent-Length: %d\r\n" % (len(BODY) + 2) in head
    assert read_exactly(connection, len(BODY) + 2) == b"{}" + BODY
    return bytes(head)


def _answering(*answers: bytes, heads: list[bytes] | None = None) -> Script:
    """Answers each request of a connection with the next of these, again and again; pieces come one by one."""

    def script(connection: socket.socket, number: int) -> None:
        turn = 0
        while True:
            head = _request(connection)
            if heads is not None:
                heads.append(head)
            for piece in answers[turn % len(answers)].split(b"|"):
                connection.sendall(piece)
                gevent.sleep(0.002)
            turn += 1

    return script


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  5\r\n\r|\nhel|lo",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n|A;x=1\r|\n0123456789\r\n0\r\nTrailer: 1\r\n|\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n|" + OK,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + bytes(400_000),
    ],
)
def test_every_form_of_an_answer_is_one_and_its_connection_is_kept(answer: bytes) -> None:
    connections = []

    def script(connection: socket.socket, number: int) -> None:
        connections.append(number)
        _answering(answer)(connection, number)

    with peer(script) as address:
        rows, failures = send_all(work_for(address, "http"), 3, apart_s=0.1)
    assert failures == {} and rows.ok.tolist() == [True] * 3
    assert connections == [0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
    ],
)
def test_an_answer_that_ends_its_connection_counts_and_the_next_request_takes_another(answer: bytes) -> None:
    connections = []

    def script(connection: socket.socket, number: int) -> None:
        connections.append(number)
        _request(connection)
        connection.sendall(answer)

    with peer(script) as address:
        rows, failures = send_all(work_for(address, "http"), 3, apart_s=0.1)
    assert failures == {} and rows.ok.all() and connections == [0, 1, 2]


def test_a_request_says_what_tritons_binary_extension_asks_for() -> None:
    heads: list[bytes] = []
    with peer(_answering(OK, heads=heads)) as address:
        send_all(work_for(address, "http"))
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "POST /v2/models/m/infer HTTP/1.1"
    assert f"Host: {address}" in lines and "Inference-Header-Content-Length: 2" in lines


def test_an_error_tells_its_status_and_text_and_refusals_of_queues_their_kind() -> None:
    said = b'{"error":"Exceeds maximum queue size"}'
    shed = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
    with peer(_answering(shed, OK)) as address:
        rows, failures = send_all(work_for(address, "http"), 2, apart_s=0.2)
    assert failures == {'HTTP 503: {"error":"Exceeds maximum queue size"}': 1}
    assert rows.outcome.tolist() == [RequestOutcome.SHED, RequestOutcome.ANSWERED]


def test_requests_in_flight_have_a_connection_each() -> None:
    seen = []

    def script(connection: socket.socket, number: int) -> None:
        seen.append(number)
        _request(connection)
        while len(seen) < 5:
            gevent.sleep(0.01)
        connection.sendall(OK)

    with peer(script) as address:
        rows, failures = send_all(work_for(address, "http"), 5)
    assert failures == {} and rows.ok.all() and len(seen) == 5


def test_a_request_without_an_answer_times_out_and_its_connection_is_not_used_again() -> None:
    seen = []

    def script(connection: socket.socket, number: int) -> None:
        seen.append(number)
        _request(connection)
        if number == 0:
            gevent.sleep(30)
        connection.sendall(OK)

    with peer(script) as address:
        rows, failures = send_all(work_for(address, "http", timeout_s=0.3), 2, apart_s=0.5)
    assert failures == {"DEADLINE_EXCEEDED: timed out after 0.3 s": 1} and seen == [0, 1]
    assert rows.ok.tolist() == [False, True]
    assert 0.3 <= rows.done[0] - rows.sent[0] < 2.0


def test_an_idle_connection_that_the_server_closed_costs_no_request() -> None:
    def script(connection: socket.socket, number: int) -> None:
        _request(connection)
        connection.sendall(OK)

    with peer(script) as address, closing(SenderLoad(work_for(address, "http"))) as load:
        for _ in range(2):
            run = load.open(np.zeros(1))
            assert run.join(30) and run.take().ok.all()
            gevent.sleep(0.05)


def _close_in_the_middle(connection: socket.socket, number: int) -> None:
    _request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")


def _no_http(connection: socket.socket, number: int) -> None:
    _request(connection)
    connection.sendall(b"220 mail.example.com\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_close_in_the_middle, "ConnectionResetError: .*closed the connection"),
        (_no_http, "ValueError: no answer of HTTP/1: b'220 mail"),
    ],
)
def test_a_lost_connection_and_what_is_no_answer_are_failures(
    script: Callable[[socket.socket, int], None], reason: str
) -> None:
    with peer(script) as address:
        rows, failures = send_all(work_for(address, "http"))
    assert not rows.ok.any() and len(failures) == 1
    (said,) = failures
    assert re.match(reason, said)


def test_a_server_that_is_not_there_is_a_failure_of_each_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    rows, failures = send_all(work_for(address, "http"), 3)
    assert failures == {"ConnectionRefusedError: [Errno 111] Connection refused": 3} and not rows.ok.any()


def test_localhost_is_found_at_whichever_of_its_addresses_listens() -> None:
    with peer(_answering(OK)) as address:
        rows, failures = send_all(work_for(address.replace("127.0.0.1", "localhost"), "http"))
    assert failures == {} and rows.ok.all()


def test_a_closed_loop_keeps_as_many_in_flight_as_it_has_users() -> None:
    in_flight, most = 0, 0

    def script(connection: socket.socket, number: int) -> None:
        nonlocal in_flight, most
        while True:
            _request(connection)
            in_flight += 1
            most = max(most, in_flight)
            gevent.sleep(0.01)
            in_flight -= 1
            connection.sendall(OK)

    with peer(script) as address, closing(SenderLoad(work_for(address, "http"))) as load:
        run = load.closed(3)
        gevent.sleep(0.5)
        run.stop()
        assert run.join(10)
        rows = run.take()
    assert most == 3 and len(rows) > 10 and rows.ok.all()
    assert (rows.due == rows.sent).all()
