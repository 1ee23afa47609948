"""The load of one model from one process over raw sockets: its connections, and the runs that use them."""

import socket
import sys
import time
from collections.abc import Sequence

from gevent.threadpool import ThreadPool

from command_line.arguments import bare_address, split_address

from ..access.addresses import host_of, is_tls
from ..access.tls import HTTP_1, HTTP_2
from .messages import Assignment
from .payload import Payload
from .request_log import Failures, Floats, RequestLog, count_between
from .wire.connection import Place, Poller
from .wire.exchange import Channel
from .wire.header_block import request_block
from .wire.http1 import HttpChannel, request_of
from .wire.http2 import GrpcChannel, message_of
from .wire.sender import AnySender, Order, Sender
from .wire.tls import sealing

AHEAD_S = 0.02
"""Between the order to start and the first request that can be due: the loop, or users, take a moment to start."""
_SWITCH_S = 0.0005
"""How long another thread may hold the interpreter while a request is due; Python's own 5 ms would be its delay."""


class SenderLoad:
    """Sends what is assigned, in a thread beside gevent's: neither waits for the other's work."""

    def __init__(self, work: Assignment) -> None:
        sys.setswitchinterval(_SWITCH_S)
        self._work, self._pool, self._poller = work, ThreadPool(1), Poller()
        self._sender: AnySender = Sender(self._poller, _contents(work), work.timeout_s, work.first)
        if work.access.retries:
            self._sender.retry()
        self._channels: tuple[Channel[object], ...] = ()
        self._places: list[list[Place]] = []
        self._run: SenderRun | None = None

    def open(self, offsets_s: Floats) -> "SenderRun":
        """Send a request at each of these times, ascending, shape [n], whatever the server does."""
        return self._started(offsets_s=offsets_s.tolist())

    def closed(self, users: int) -> "SenderRun":
        """Keep `users` requests in flight until told to stop."""
        return self._started(users=users)

    def close(self) -> None:
        """Close every connection."""
        if self._run is not None:
            self._run.close()
        for channel in self._channels:
            channel.close()
        self._poller.close()
        self._pool.kill()

    def _started(self, offsets_s: Sequence[float] | None = None, users: int = 0) -> "SenderRun":
        places = [find_places(address) for address in self._work.addresses]
        if places != self._places:
            for channel in self._channels:
                channel.close()
            ways = zip(places, self._work.addresses, self._work.names, strict=True)
            self._channels = tuple(self._channel(*way) for way in ways)
            self._sender.connect(self._channels)
            self._places = places
        order = Order(time.perf_counter() + AHEAD_S, offsets_s, users)
        self._run = SenderRun(order, self._pool, self._sender)
        return self._run

    def _channel(self, places: Sequence[Place], address: str, name: str) -> Channel[object]:
        work, sender = self._work, self._sender
        tls = is_tls(address)
        seal = sealing(work.access, name, HTTP_1 if work.protocol == "http" else HTTP_2) if tls else None
        made: Channel[object]
        if work.protocol == "http":
            made = HttpChannel(self._poller, places, sender.ended, make_seal=seal)  # type: ignore[assignment]
        else:
            method = "/inference.GRPCInferenceService/ModelInfer"
            authority = authority_of(address, name)
            block = request_block(method, authority, work.timeout_s, work.access.fields(), tls)
            made = GrpcChannel(self._poller, places, sender.ended, block, seal)  # type: ignore[assignment]
        return made


class SenderRun:
    """One run of a sender (see `generator.Run`)."""

    def __init__(self, order: Order, pool: ThreadPool, sender: AnySender) -> None:
        self._order, self.started_at = order, order.started_at
        self._counted = 0
        self._cpu_before = time.process_time()
        self._work = pool.spawn(sender.work, order)

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu_before

    def complete_until_s(self) -> float:
        # Before its loop runs nothing can be answered: the first request is due at 0.
        known_s = self._order.complete_until_s
        return known_s if known_s > float("-inf") else min(0.0, time.perf_counter() - self.started_at)

    def errors_between(self, start: float, end: float) -> dict[str, int]:
        return count_between(_grouped(self._order.failures), start, end)

    def take(self) -> RequestLog:
        rows = self._order.rows
        taken = rows[:]
        del rows[: len(taken)]
        return RequestLog.of_rows(taken)

    def take_failures(self) -> Failures:
        """The failures since the last call, for one who adds them up."""
        fresh = self._order.failures[self._counted :]
        self._counted += len(fresh)
        return _grouped(fresh)

    def stop(self) -> None:
        self._order.stopping = True

    def join(self, timeout_s: float | None = None) -> bool:
        if not self._work.ready():
            self._work.wait(timeout_s)
        if not self._work.ready():
            return False
        self._work.get()  # raises what has ended the loop
        return True

    def close(self) -> None:
        self._order.stopping = self._order.aborting = True
        self._work.wait()


def find_places(address: str) -> list[Place]:
    """Where `host:port` is, in the order in which to try: none for a name that nobody knows."""
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(family, place) for family, _, _, _, place in found]


def authority_of(address: str, name: str) -> str:
    """Which server a request says that it is for: the name of its certificate where that is another than the address's.

    gRPC's own clients do the same, so a gateway that routes by names finds the route.
    """
    return bare_address(address) if name == host_of(address) else name


def _contents(work: Assignment) -> list[list[object]]:
    """For each server the requests as it gets them, in the order in which they are sent."""
    payloads = work.payloads
    if work.protocol == "grpc":
        messages: list[object] = [message_of(payload.grpc_body) for payload in payloads]
        return [messages for _ in work.addresses]
    fields = dict(work.access.fields())
    authorities = map(authority_of, work.addresses, work.names)
    return [[_http_request(payload, authority, fields) for payload in payloads] for authority in authorities]


def _http_request(payload: Payload, authority: str, fields: dict[str, str]) -> object:
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(payload.http_json_bytes),
        **fields,
    }
    return request_of(f"/v2/models/{payload.model}/infer", authority, headers, payload.http_body)


def _grouped(failures: Sequence[tuple[str, float]]) -> Failures:
    grouped: Failures = {}
    for reason, due_s in failures:
        grouped.setdefault(reason, []).append(due_s)
    return grouped
