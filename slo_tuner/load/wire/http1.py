"""Requests over HTTP/1.1: prepared bytes, kept-alive connections, and of an answer its status and where it ends."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..request_outcome import MOST_TOLD
from .connection import Connection, Place, Poller
from .exchange import Ended, Exchange
from .tls import MakeSeal

MOST_CONNECTIONS = 900
"""To one server: a process may usually have 1,024 open files."""
_END_OF_HEAD = b"\r\n\r\n"

Request = tuple[bytes, bytes]
"""The head and the body of a request."""


def request_of(path: str, authority: str, headers: dict[str, str], body: bytes) -> Request:
    """A POST of `body` with these headers, as bytes."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {authority}", "User-Agent: slo-tuner", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode(), body


@dataclass(frozen=True)
class Head:
    """Of the head of an answer: the status, the bytes of its body (None: unknown), and how its end is found."""

    status: int
    length: int | None
    chunked: bool
    closes: bool


@lru_cache(maxsize=1024)
def read_head(head: bytes) -> Head:
    """The head of an answer without the empty line; ValueError for what is none."""
    first, *rest = head.split(b"\r\n")
    found = re.match(rb"HTTP/1\.([01]) (\d{3})(?: |$)", first)
    if not found:
        raise ValueError(f"no answer of HTTP/1: {first[:60]!r}")
    fields = {}
    for line in rest:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip().lower()
    status, connection = int(found[2]), fields.get(b"connection", b"")
    chunked = fields.get(b"transfer-encoding", b"").endswith(b"chunked")
    length = 0 if status < 200 or status in (204, 304) else None
    if length is None and not chunked and b"content-length" in fields:
        length = int(fields[b"content-length"])
    kept_alive = b"close" not in connection and (found[1] == b"1" or b"keep-alive" in connection)
    return Head(status, length, chunked, not kept_alive or (length is None and not chunked))


class HttpChannel:
    """The connections to one server: as many as requests are in flight, up to `most`; others wait for their turn."""

    def __init__(
        self,
        poller: Poller,
        places: Sequence[Place],
        ended: Ended[Request],
        most: int = MOST_CONNECTIONS,
        make_seal: MakeSeal | None = None,
    ) -> None:
        self.poller, self.places, self.ended, self._most, self.make_seal = poller, places, ended, most, make_seal
        self._all: set[HttpConnection] = set()
        self._idle: list[HttpConnection] = []
        self._waiting: deque[Exchange[Request]] = deque()

    def send(self, exchange: Exchange[Request]) -> None:
        """On the connection that was used last, or on a new one."""
        if self._idle:
            self._idle.pop().send(exchange)
        elif len(self._all) < self._most:
            self.send_anew(exchange)
        else:
            self._waiting.append(exchange)

    def send_anew(self, exchange: Exchange[Request]) -> None:
        """On a new connection."""
        connection = HttpConnection(self)
        self._all.add(connection)
        connection.send(exchange)
        connection.open()

    def freed(self, connection: "HttpConnection") -> None:
        """It has had its answer, and takes the next request."""
        if waiting := self._next():
            connection.send(waiting)
        else:
            self._idle.append(connection)

    def gone(self, connection: "HttpConnection") -> None:
        """It is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if waiting := self._next():
            self.send_anew(waiting)

    def close(self) -> None:
        """Close every connection."""
        self._waiting.clear()
        for connection in tuple(self._all):
            connection.close()
        self._all.clear()
        self._idle.clear()

    def _next(self) -> Exchange[Request] | None:
        while self._waiting:
            if not (exchange := self._waiting.popleft()).ended:
                return exchange
        return None


class HttpConnection(Connection):
    """One connection, with at most one request on it."""

    def __init__(self, channel: HttpChannel) -> None:
        super().__init__(channel.poller, channel.places, channel.make_seal)
        self._channel = channel
        self._exchange: Exchange[Request] | None = None
        self._used = False
        self._forget()

    def _forget(self) -> None:
        self._head: Head | None = None
        self._left, self._in_trailer, self._said = 0, False, b""

    def send(self, exchange: Exchange[Request]) -> None:
        """Send its request; the connection is free."""
        self._exchange, exchange.link = exchange, self
        self.write(*exchange.content)

    def cancel(self, exchange: Exchange[Request]) -> None:
        """Nobody waits for this answer: what still comes of it would be taken for the next one's."""
        self._exchange = None
        self.close()
        self._channel.gone(self)

    def received(self, total: int) -> int:
        done = 0
        while done < total and not self.closed:
            before = done
            try:
                done = self._body(done, total) if self._head else self._begin(done, total)
            except ValueError as error:
                self._end(f"ValueError: {error}"[:MOST_TOLD], closes=True)
                return total
            if done == before:
                break
        return done

    def lost(self, error: OSError) -> None:
        exchange, head = self._exchange, self._head
        self._exchange = None
        if exchange is not None and head is not None and head.length is None and not head.chunked:
            self._finish(exchange, head)  # this end was the answer's
        elif exchange is not None and self._used and head is None and not self._kept and not exchange.retried:
            # The server has closed an idle connection while the request was on its way to it.
            exchange.retried = True
            self._channel.gone(self)
            self._channel.send_anew(exchange)
            return
        elif exchange is not None:
            self._channel.ended(exchange, f"{type(error).__name__}: {error}"[:MOST_TOLD])
        self._channel.gone(self)

    def _begin(self, start: int, total: int) -> int:
        """Read the head of an answer."""
        if self._exchange is None:
            raise ValueError("an answer that nobody asked for")
        buffer = self._poller.buffer
        end = buffer.find(_END_OF_HEAD, start, total)
        if end < 0:
            return start
        head = read_head(bytes(buffer[start:end]))
        if head.status >= 200:
            self._head, self._left = head, head.length or 0
            if head.length == 0 and not head.chunked:
                self._answered(head)
        return end + len(_END_OF_HEAD)

    def _body(self, start: int, total: int) -> int:
        head = self._head
        assert head is not None
        if head.chunked and not self._left:
            return self._chunk(head, start, total)
        end = total if head.length is None and not head.chunked else min(total, start + self._left)
        if head.status != 200 and len(self._said) < MOST_TOLD:
            self._said += bytes(self._poller.view[start:end])
        self._left -= end - start
        if head.length is not None and self._left == 0:
            self._answered(head)
        return end

    def _chunk(self, head: Head, start: int, total: int) -> int:
        """Read the size of the next chunk, or a line after the last one; a chunk's bytes end with an empty line."""
        buffer = self._poller.buffer
        end = buffer.find(b"\r\n", start, total)
        if end < 0:
            return start
        line = bytes(buffer[start:end])
        if self._in_trailer:
            if not line:
                self._answered(head)
        else:
            size = int(line.partition(b";")[0], 16)
            self._in_trailer = size == 0
            self._left = size + 2 if size else 0
        return end + 2

    def _answered(self, head: Head) -> None:
        self._end(_failure(head, self._said), head.closes)

    def _finish(self, exchange: Exchange[Request], head: Head) -> None:
        self._channel.ended(exchange, _failure(head, self._said))

    def _end(self, failure: str, closes: bool) -> None:
        """The exchange is over; the connection goes on, or is closed."""
        exchange, self._exchange, self._used = self._exchange, None, True
        self._forget()
        if closes or self._unsent:
            self.close()
            self._channel.gone(self)
        else:
            self._channel.freed(self)
        if exchange is not None:
            self._channel.ended(exchange, failure)


def _failure(head: Head, said: bytes) -> str:
    """Why an answer is none; empty for one."""
    return "" if head.status == 200 else f"HTTP {head.status}: {said.decode(errors='replace').strip()[:MOST_TOLD]}"
