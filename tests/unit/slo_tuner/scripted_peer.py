"""Servers that do exactly what a test says, byte by byte, and the load that is sent to them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import gevent
import numpy as np

from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload
from slo_tuner.load.request_log import RequestLog
from slo_tuner.load.sender_load import SenderLoad

Script = Callable[[socket.socket, int], None]
"""What a server does with a connection, and the how many-th it is, from 0; then it closes it."""

BODY = bytes(range(256)) * 800  # 205 kB: more than the windows of HTTP/2 hold at first


@contextmanager
def peer(script: Script) -> Iterator[str]:
    """A server that follows the script on each of its connections; where it is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = gevent.spawn(_accept, listening, script)
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            serving.kill()


def _accept(listening: socket.socket, script: Script) -> None:
    number, greenlets = 0, []
    try:
        while True:
            connection, _ = listening.accept()
            greenlets.append(gevent.spawn(_follow, connection, script, number))
            number += 1
    finally:
        gevent.killall(greenlets)


def _follow(connection: socket.socket, script: Script, number: int) -> None:
    with connection, suppress(ConnectionError, EOFError):  # the load closes it when it has what it needs
        script(connection, number)


def work_for(address: str, protocol: str, timeout_s: float = 5.0) -> Assignment:
    """Requests of 205 kB for a server."""
    return Assignment(protocol, address, timeout_s, Payload("m", 1, BODY, b"{}" + BODY, 2))


def send_all(work: Assignment, count: int = 1, apart_s: float = 0.0) -> tuple[RequestLog, dict[str, int]]:
    """Send so many requests, and wait for all: their rows, and the failures by their reason."""
    with closing(SenderLoad(work)) as load:
        run = load.open(np.arange(count) * apart_s)
        assert run.join(30.0)
        return RequestLog.joined([run.take()]), run.errors_between(0.0, float("inf"))


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; EOFError when the other side ends before."""
    found = bytearray()
    while len(found) < count:
        part = connection.recv(min(1 << 16, count - len(found)))
        if not part:
            raise EOFError
        found += part
    return bytes(found)
