"""Requests over gRPC: prepared messages in the frames of HTTP/2 (RFC 9113), many of them on one connection."""

import errno
import struct
from collections import deque
from collections.abc import Sequence

from ..request_outcome import MOST_TOLD
from .connection import Connection, Part, Place, Poller
from .exchange import Ended, Exchange
from .frames import (
    ACK,
    CANCEL,
    END_HEADERS,
    END_STREAM,
    FIRST_FRAME,
    FIRST_WINDOW,
    HEAD,
    INITIAL_WINDOW,
    LARGEST,
    MAX_FRAME,
    MOST_STREAMS,
    NUMBER,
    PADDED,
    PREFACE,
    PRIORITY,
    REFUSED,
    SETTING,
    Kind,
    frame,
    frame_head,
)
from .grpc_status import reset_reason, verdict
from .header_block import Answer, HeaderBlockError, read_answer
from .tls import MakeSeal

_LARGEST_FRAME = 1 << 18
_BATCH_PARTS = 64


def message_of(body: bytes) -> memoryview:
    """A serialised message as gRPC sends it: not compressed, with its length."""
    return memoryview(b"\0" + NUMBER.pack(len(body)) + body)


class GrpcChannel:
    """The connection to one server; a new one where it has ended, or is about to. `block` has a request's headers."""

    def __init__(
        self,
        poller: Poller,
        places: Sequence[Place],
        ended: Ended[memoryview],
        block: bytes,
        make_seal: MakeSeal | None = None,
    ) -> None:
        self.poller, self.places, self.ended, self.block, self.make_seal = poller, places, ended, block, make_seal
        self._current: GrpcConnection | None = None
        self._all: set[GrpcConnection] = set()

    def send(self, exchange: Exchange[memoryview]) -> None:
        """On the connection that there is, or on a new one."""
        current = self._current
        if current is None or current.leaving:
            current = self._current = GrpcConnection(self)
            self._all.add(current)
            current.open()
        if current.closed:
            self.ended(exchange, current.reason)
        else:
            current.send(exchange)

    def gone(self, connection: "GrpcConnection") -> None:
        """It is closed."""
        self._all.discard(connection)

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._all):
            connection.close()
        self._all.clear()
        self._current = None


class _Stream:
    """An exchange on its stream: how much of it was sent, and how much more the server takes."""

    __slots__ = ("answer", "done", "exchange", "number", "offset", "window")

    def __init__(self, number: int, exchange: Exchange[memoryview], window: int) -> None:
        self.number, self.exchange, self.window = number, exchange, window
        self.offset, self.done, self.answer = 0, False, Answer()

    @property
    def unsent(self) -> bool:
        return self.offset < len(self.exchange.content)


class GrpcConnection(Connection):
    """One connection. Numbers are given to streams as their first frame is sent: they have to ascend on the wire."""

    def __init__(self, channel: GrpcChannel) -> None:
        super().__init__(channel.poller, channel.places, channel.make_seal)
        self._channel = channel
        self._streams: dict[int, _Stream] = {}
        self._waiting: deque[Exchange[memoryview]] = deque()
        self._sending: deque[_Stream] = deque()
        self._next, self._window, self._stream_window = 1, FIRST_WINDOW, FIRST_WINDOW
        self._max_frame, self._most_streams, self._received = FIRST_FRAME, LARGEST, 0
        self._block: tuple[int, int, bytes] | None = None
        self.leaving, self.reason = False, ""
        self.write(PREFACE)

    def send(self, exchange: Exchange[memoryview]) -> None:
        """Send its request as soon as the server takes it."""
        exchange.link = self
        self._waiting.append(exchange)
        if self.connected and not self._unsent:
            self._pump()

    def cancel(self, exchange: Exchange[memoryview]) -> None:
        """Nobody waits for this answer: the server need not go on with it."""
        stream = next((s for s in self._streams.values() if s.exchange is exchange), None)
        if stream is not None:
            self._release(stream)
            self._reset(stream)

    def writable(self) -> None:
        self._pump()

    def lost(self, error: OSError) -> None:
        self.leaving = True
        at_all = "" if self.connected else "failed to connect: "
        self.reason = f"UNAVAILABLE: {at_all}{error.strerror or error}"[:MOST_TOLD]
        self._channel.gone(self)
        broken, self._streams = self._streams, {}
        for stream in broken.values():
            stream.done = True
            self._channel.ended(stream.exchange, self.reason)
        for exchange in self._unstarted():
            if self.connected:
                self._channel.send(exchange)
            else:
                self._channel.ended(exchange, self.reason)

    def received(self, total: int) -> int:
        try:
            return self._frames(total)
        except (struct.error, IndexError):
            self._lose(OSError(errno.EPROTO, "the server does not speak HTTP/2 as gRPC needs it"))
            return total

    def _frames(self, total: int) -> int:
        buffer, start = self._poller.buffer, 0
        while total - start >= 9 and not self.closed:
            high, low, kind, flags, number = HEAD.unpack_from(buffer, start)
            end = start + 9 + (high << 8 | low)
            if end - start - 9 > FIRST_FRAME:  # it was told of no larger ones
                raise struct.error
            if end > total:
                break
            if kind == Kind.DATA:
                self._take_data(end - start - 9, flags, number)
            elif kind == Kind.WINDOW_UPDATE:
                if end - start != 9 + NUMBER.size:
                    raise struct.error
                self._widen(number, NUMBER.unpack_from(buffer, start + 9)[0] & LARGEST)
            else:
                self._take(kind, flags, number, bytes(buffer[start + 9 : end]))
            start = end
        if (self._waiting or self._sending) and not self._unsent and not self.closed:
            self._pump()
        return start

    def _unstarted(self) -> list[Exchange[memoryview]]:
        """Those that wait, and wait no longer here."""
        waiting, self._waiting = self._waiting, deque()
        return [exchange for exchange in waiting if not exchange.ended]

    def _pump(self) -> None:
        """Send what the windows, and the system, take."""
        while not self._unsent and not self.closed:
            parts: list[Part] = []
            while len(parts) < _BATCH_PARTS and (stream := self._next_stream(parts)):
                self._add_frames(stream, parts)
                if stream.unsent and stream.window > 0 and not stream.done:
                    self._sending.appendleft(stream)
                    if self._window <= 0:
                        break
            if not parts:
                return
            self.write(*parts)

    def _next_stream(self, parts: list[Part]) -> _Stream | None:
        """The stream that has waited longest, or a new one, its headers added to `parts`; None when none can go on."""
        while self._sending:
            if self._window <= 0:
                return None
            if not (stream := self._sending.popleft()).done:
                return stream
        while self._waiting and len(self._streams) < self._most_streams and not self.leaving:
            exchange = self._waiting.popleft()
            if not exchange.ended:
                stream = self._streams[self._next] = _Stream(self._next, exchange, self._stream_window)
                block = self._channel.block
                parts.append(frame_head(len(block), Kind.HEADERS, END_HEADERS, self._next) + block)
                self._next += 2
                if self._next > LARGEST:
                    self._leave()
                return stream
        return None

    def _add_frames(self, stream: _Stream, parts: list[Part]) -> None:
        content, offset = stream.exchange.content, stream.offset
        size = len(content)
        most = min(self._window, stream.window, size - offset)
        until = offset + max(0, most)
        while offset < until and len(parts) < 2 * _BATCH_PARTS:
            end = min(offset + self._max_frame, until)
            head = (end - offset) << 48 | (end == size) << 32 | stream.number
            parts.append(head.to_bytes(9, "big"))
            parts.append(content[offset:end])
            offset = end
        self._window -= offset - stream.offset
        stream.window -= offset - stream.offset
        stream.offset = offset

    def _take_data(self, length: int, flags: int, number: int) -> None:
        self._received += length
        if self._received > 1 << 29:
            self.write(frame(Kind.WINDOW_UPDATE, 0, 0, NUMBER.pack(self._received)))
            self._received = 0
        if flags & END_STREAM and (stream := self._streams.get(number)):
            self._finish(stream, verdict(stream.answer))

    def _widen(self, number: int, by: int) -> None:
        """The server takes so much more: on one stream, or on all of them together (0)."""
        if number == 0:
            self._window += by
        elif stream := self._streams.get(number):
            self._widen_stream(stream, by)

    def _widen_stream(self, stream: _Stream, by: int) -> None:
        blocked = stream.window <= 0
        stream.window += by
        if blocked and stream.window > 0 and stream.unsent:
            self._sending.append(stream)

    def _take(self, kind: int, flags: int, number: int, content: bytes) -> None:
        if kind == Kind.HEADERS:
            if flags & PADDED:
                content = content[1 : len(content) - content[0]]
            self._take_headers(number, flags, content[5:] if flags & PRIORITY else content)
        elif kind == Kind.CONTINUATION and self._block is not None:
            number, first, before = self._block
            self._take_headers(number, first | flags, before + content)
        elif kind == Kind.PING and not flags & ACK:
            self.write(frame(Kind.PING, ACK, 0, content))
        elif kind == Kind.SETTINGS and not flags & ACK:
            self._apply(content)
            self.write(frame(Kind.SETTINGS, ACK, 0, b""))
        elif kind == Kind.RST_STREAM:
            self._take_reset(number, NUMBER.unpack(content)[0])
        elif kind == Kind.GOAWAY:
            self._leave(NUMBER.unpack_from(content)[0] & LARGEST)

    def _take_headers(self, number: int, flags: int, block: bytes) -> None:
        if not flags & END_HEADERS:
            self._block = (number, flags, block)
            return
        self._block = None
        stream = self._streams.get(number)
        if stream is None:
            return
        try:
            answer = read_answer(block)
        except HeaderBlockError as error:
            self._finish(stream, f"INTERNAL: headers that can't be read: {error}")
            return
        if answer.http_status >= 200 or answer.grpc_status >= 0:
            stream.answer = Answer(answer.http_status or stream.answer.http_status, answer.grpc_status, answer.message)
        if flags & END_STREAM:
            self._finish(stream, verdict(stream.answer))

    def _take_reset(self, number: int, code: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        exchange = stream.exchange
        if code == REFUSED and not exchange.retried:  # it was not begun
            self._release(stream)
            exchange.retried = True
            self._channel.send(exchange)
            return
        self._finish(stream, reset_reason(code))

    def _apply(self, content: bytes) -> None:
        for identifier, value in SETTING.iter_unpack(content[: len(content) // 6 * 6]):
            if identifier == MOST_STREAMS:
                self._most_streams = value
            elif identifier == MAX_FRAME:
                self._max_frame = min(value, _LARGEST_FRAME)
            elif identifier == INITIAL_WINDOW:
                change, self._stream_window = value - self._stream_window, value
                for stream in self._streams.values():
                    self._widen_stream(stream, change)

    def _leave(self, last: int = LARGEST) -> None:
        """Begin nothing more here; streams after the `last` were not begun by the server."""
        self.leaving = True
        unstarted = [stream for number, stream in self._streams.items() if number > last]
        for stream in unstarted:
            self._release(stream)
        for exchange in [*(stream.exchange for stream in unstarted), *self._unstarted()]:
            self._channel.send(exchange)
        self._close_if_left()

    def _finish(self, stream: _Stream, failure: str) -> None:
        self._release(stream)
        if stream.unsent:
            self._reset(stream)
        self._channel.ended(stream.exchange, failure)
        self._close_if_left()

    def _reset(self, stream: _Stream) -> None:
        self.write(frame(Kind.RST_STREAM, 0, stream.number, NUMBER.pack(CANCEL)))

    def _release(self, stream: _Stream) -> None:
        stream.done = True
        del self._streams[stream.number]

    def _close_if_left(self) -> None:
        if self.leaving and not self._streams and not self._waiting and not self.closed:
            self.close()
            self._channel.gone(self)
