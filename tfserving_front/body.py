"""The body of a request: as large as allowed, as fast as needed, gzip or plain, and counted while it is there."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

from .budget import Budget, Share
from .errors import RETRY_S, RestError
from .limits import SMALL, Limits

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
# While others wait, who sends slower than this gives way.
_SLOW_BYTES_PER_S, _SLOW_AFTER_S = 100_000, 2.0
_TICK_S = 1.0
_STEP = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


class Body:
    """A body that is complete. It is counted until it is given back."""

    def __init__(self, data: bytes, share: Share | None) -> None:
        self.data, self._share = data, share

    def give_back(self) -> None:
        """Forget the body."""
        self.data = b""
        if self._share:
            self._share.give_back()


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits, bodies: Budget) -> Body:
    """The body of a request: RestError 413 when it is too large, 408 when it comes too slowly, 415, 400 by encoding.

    No place is held meanwhile: those who announce a body and never send it hold up nobody. Only a large body waits
    for others, before it is read.
    """
    decoder, announced = _decoder(headers.get("content-encoding", "identity")), headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() and len(announced) < 20 else None
    upload = _Upload(limits, bodies, decoder, length)
    if length and length > limits.request_bytes and "expect" in headers:
        raise upload.too_large(length)
    try:
        async with asyncio.timeout(limits.timeout_s):
            await upload.receive_all(receive)
        return Body(upload.finish(), upload.share)
    except TimeoutError:
        upload.drop()
        if upload.waits:
            raise RestError(503, "Other large requests came first", retry_s=RETRY_S) from None
        raise RestError(408, f"The request did not come within {limits.timeout_s:g} s") from None
    except BaseException:
        upload.drop()
        raise


class _Upload:
    """A body while it comes."""

    def __init__(self, limits: Limits, bodies: Budget, decoder: "_Plain | _Gzip", length: int | None) -> None:
        self.share: Share | None = None
        self.waits = False
        # What a compressed body becomes is not known, so it counts as the largest.
        self._expected = length if length and isinstance(decoder, _Plain) else limits.request_bytes
        self._limits, self._bodies, self._decoder = limits, bodies, decoder
        self._parts: list[bytes] = []
        self._received, self._size = 0, 0
        self._began = time.monotonic()

    async def receive_all(self, receive: Receive) -> None:
        heard = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(min(_TICK_S, self._limits.stall_s)):
                    message = await receive()
            except TimeoutError:
                self._check_pace(time.monotonic() - heard)
                continue
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            heard = time.monotonic()
            await self._add(message.get("body", b""))
            if not message.get("more_body", False):
                return
            self._check_pace(0)

    async def _add(self, part: bytes) -> None:
        self._received += len(part)
        most = self._limits.request_bytes
        if max(self._received, self._size) > most:
            # What is too much is read for a while: a client that cannot send on never sees the answer.
            self.drop()
            if self._received > 2 * most:
                raise self.too_large(self._received)
            return
        for piece in self._decoder.decode(part):
            self._size += len(piece)
            if self._size > most:
                break
            if self._size > SMALL and self.share is None:
                self.waits = True
                self.share = await self._bodies.take(self._expected)
                self.waits, self._began = False, time.monotonic()
            self._parts.append(piece)

    def finish(self) -> bytes:
        if max(self._received, self._size) > self._limits.request_bytes:
            raise self.too_large(max(self._received, self._size))
        self._decoder.finish()
        return b"".join(self._parts)

    def drop(self) -> None:
        self._parts.clear()
        if self.share:
            self.share.give_back()

    def too_large(self, size: int) -> RestError:
        return RestError(413, f"The request has {size} bytes, more than the {self._limits.request_bytes} allowed")

    def _check_pace(self, silent_s: float) -> None:
        if silent_s >= self._limits.stall_s:
            raise RestError(408, f"Nothing of the request came for {self._limits.stall_s:g} s")
        lasted_s = time.monotonic() - self._began
        slow = lasted_s > _SLOW_AFTER_S and self._received < _SLOW_BYTES_PER_S * lasted_s
        if slow and self.share and self._bodies.is_short:
            raise RestError(408, f"The request came slower than {_SLOW_BYTES_PER_S} bytes/s while others waited")


class _Plain:
    def decode(self, part: bytes) -> Iterator[bytes]:
        yield part

    def finish(self) -> None:
        pass


class _Gzip:
    """One gzip member, decompressed step by step: who stops asking for pieces decompresses no more."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def decode(self, part: bytes) -> Iterator[bytes]:
        piece = b""
        # A step that is full may have more behind it, although everything that came has been taken in.
        while part or len(piece) == _STEP:
            try:
                piece = self._stream.decompress(part, _STEP)
            except zlib.error as error:
                raise RestError(400, f"The body is no gzip: {error}") from None
            if self._stream.unused_data:
                raise RestError(400, "The body has more after its gzip member")
            part = self._stream.unconsumed_tail
            yield piece

    def finish(self) -> None:
        if not self._stream.eof:
            raise RestError(400, "The body is no complete gzip member")


def _decoder(encoding: str) -> _Plain | _Gzip:
    known: dict[str, type[_Plain] | type[_Gzip]] = {"identity": _Plain, "": _Plain, "gzip": _Gzip, "x-gzip": _Gzip}
    if (kind := known.get(encoding.strip().lower())) is None:
        raise RestError(415, f"Content-Encoding {encoding[:64]!r} is not supported: send gzip, or the JSON as it is")
    return kind()
