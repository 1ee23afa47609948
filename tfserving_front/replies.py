"""Answers as JSON: at once where they are small, piece by piece where they are not; nothing for a client that went."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .errors import RestError
from .front import Answer
from .limits import SMALL, Limits
from .worker import Worker

_JSON = "application/json"
_PIECE_BYTES = 1 << 18
_Result = TypeVar("_Result")


def document(value: Any, status: int = 200) -> Response:
    """A small JSON document."""
    return Response(orjson.dumps(value), status, media_type=_JSON)


def reply(answer: Answer, worker: Worker, limits: Limits) -> Response:
    """The reply to a predict request. What the answer holds is given back once it is sent."""
    if answer.size > SMALL:
        return _Streamed(answer, worker, limits)
    text = b"".join(answer.pieces)
    answer.give_back()
    return Response(text, media_type=_JSON)


class _Streamed(Response):
    """A large answer. The next piece is written, in the thread, once the one before is on its way."""

    media_type = _JSON

    def __init__(self, answer: Answer, worker: Worker, limits: Limits) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._answer, self._worker, self._limits = answer, worker, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; what is cut off here, for a client that takes it too slowly, ends the connection."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await while_there(receive, self._send(send))
        except (TimeoutError, ClientDisconnect):
            return
        finally:
            self._answer.give_back()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        more = True
        while more:
            piece = await self._worker.run(self._answer.size, lambda: _next_piece(self._answer.pieces))
            more = len(piece) >= _PIECE_BYTES
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _next_piece(pieces: Iterator[bytes]) -> bytes:
    found, size = [], 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            break
    return b"".join(found)


async def while_there(receive: Receive, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`, which ends with ClientDisconnect as soon as the client is gone."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        if (error := task.exception()) is not None:
            raise error.again() if isinstance(error, RestError) else error
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
