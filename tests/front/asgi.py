"""The front's application in this process, before a fake Triton: requests are ASGI messages, as a server makes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from fake_triton import FakeTriton

from tfserving_front.app import make_app
from tfserving_front.front import Front
from tfserving_front.limits import Limits

Headers = Sequence[tuple[bytes, bytes]]


class Reply(NamedTuple):
    """An answer; `pieces` are the messages that its body came in."""

    status: int
    headers: dict[str, str]
    body: bytes
    pieces: int

    @property
    def json(self) -> Any:
        """The body, which must be strict JSON."""
        return orjson.loads(self.body)


class Client:
    """Asks the application. `front` is what its handlers share, `triton` the server behind it."""

    def __init__(self, app: Any, triton: FakeTriton) -> None:
        self.app, self.triton = app, triton
        self.front: Front = app.state.front

    async def ask(
        self,
        path: str,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Headers = (),
        method: str = "",
        parts: asyncio.Queue[dict[str, Any]] | None = None,
    ) -> Reply:
        """The answer to one request; `parts` are messages of a body that comes bit by bit."""
        data = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
        queue: asyncio.Queue[dict[str, Any]] = parts or asyncio.Queue()
        if parts is None:
            queue.put_nowait(sent(data, more=False))
        status, given, pieces = 0, {}, []

        async def send(message: Any) -> None:
            nonlocal status, given
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                pieces.append(message.get("body", b""))

        verb = method or ("GET" if body is None and parts is None else "POST")
        await self.app(_scope(verb, path, headers), queue.get, send)
        return Reply(status, given, b"".join(pieces), len(pieces))


def sent(body: bytes, more: bool = True) -> dict[str, Any]:
    """A message with a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def _scope(method: str, path: str, headers: Headers) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "query_string": b"",
        "headers": list(headers),
        "server": ("127.0.0.1", 8888),
        "client": ("127.0.0.1", 50000),
    }


@contextlib.asynccontextmanager
async def client(limits: Limits) -> AsyncIterator[Client]:
    """The application with these limits, and a client of it."""
    triton = FakeTriton()
    await triton.start()
    app = make_app(triton.address, limits)
    try:
        async with app.router.lifespan_context(app):
            yield Client(app, triton)
    finally:
        await triton.stop()


async def until(condition: Any, deadline_s: float = 20.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.005)
