"""Connections that nobody uses end: heads that never come, answers that nobody takes, and more than there may be."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from asgi import until
from fake_triton import FakeTriton
from starlette.applications import Starlette

from tfserving_front.app import make_app
from tfserving_front.connection import connection_class
from tfserving_front.limits import Limits

LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b'{"instances": [1.0]}'
WIDE = b"POST /v1/models/wide:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Serving:
    """A front that listens on loopback."""

    def __init__(self, app: Starlette, server: uvicorn.Server, port: int) -> None:
        self.app, self.server, self.port = app, server, port

    async def connect(self, receive_bytes: int = 0) -> Streams:
        """A connection, with a small buffer for what comes if wanted."""
        connection = socket.socket()
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=connection, limit=1024)

    async def status(self, request: bytes, streams: Streams | None = None) -> bytes:
        """The status line of the answer to a request."""
        reader, writer = streams or await self.connect()
        writer.write(request)
        line = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
        if streams is None:
            writer.close()
        return line.strip()


@contextlib.asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[Serving]:
    """The front with these limits, as the command serves it."""
    triton = FakeTriton()
    await triton.start()
    app = make_app(triton.address, limits)
    config = uvicorn.Config(app, http=connection_class(limits), ws="none", log_level="error")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    try:
        await until(lambda: server.started)
        yield Serving(app, server, listener.getsockname()[1])
    finally:
        server.should_exit = server.force_exit = True
        await task
        await triton.stop()


async def is_closed(streams: Streams) -> bool:
    """Whether the connection ends before a deadline; what still comes is read."""
    try:
        async with asyncio.timeout(20):
            while await streams[0].read(65536):
                pass
    except ConnectionError:
        pass
    return True


def test_a_head_that_never_ends_ends_the_connection() -> None:
    async def run() -> None:
        async with serving(Limits(stall_s=0.3)) as front:
            fresh, used = await front.connect(), await front.connect()
            assert await front.status(LIVE, used) == b"HTTP/1.1 200 OK"
            for _, writer in (fresh, used):
                writer.write(LIVE[:20])
            assert await is_closed(fresh) and await is_closed(used)
            assert await front.status(LIVE) == b"HTTP/1.1 200 OK"

    asyncio.run(run())


def test_a_head_in_pieces_is_answered() -> None:
    async def run() -> None:
        async with serving(Limits(stall_s=5)) as front:
            streams = await front.connect()
            for byte in LIVE[:-1]:
                streams[1].write(bytes([byte]))
                await streams[1].drain()
            for _ in range(3):
                assert await front.status(LIVE[-1:] + LIVE[:-1], streams) == b"HTTP/1.1 200 OK"
                await streams[0].readuntil(b"{}")
            assert len(front.server.server_state.connections) == 1

    asyncio.run(run())


def test_an_answer_that_nobody_takes_ends_the_connection_and_is_forgotten() -> None:
    async def run() -> None:
        async with serving(Limits(stall_s=0.5)) as front:
            streams = await front.connect(receive_bytes=4096)
            assert await front.status(WIDE, streams) == b"HTTP/1.1 200 OK"
            answers = front.app.state.front._answers
            assert answers.is_held
            await until(lambda: not answers.is_held and not front.server.server_state.connections)

    asyncio.run(run())


def test_an_answer_that_is_taken_too_slowly_ends_with_its_time() -> None:
    async def run() -> None:
        async with serving(Limits(stall_s=20, timeout_s=1.0)) as front:
            reader, writer = streams = await front.connect(receive_bytes=4096)
            assert await front.status(WIDE, streams) == b"HTTP/1.1 200 OK"
            answers = front.app.state.front._answers
            while answers.is_held:
                assert await reader.read(1000)
                await asyncio.sleep(0.02)
            writer.close()

    asyncio.run(run())


def test_a_connection_too_many_ends_the_one_that_is_idle_for_longest() -> None:
    async def run() -> None:
        async with serving(Limits(connections=3)) as front:
            idle = [await front.connect() for _ in range(3)]
            await until(lambda: len(front.server.server_state.connections) == 3)
            assert await front.status(LIVE, idle[0]) == b"HTTP/1.1 200 OK"
            assert await front.status(LIVE) == b"HTTP/1.1 200 OK"
            assert await is_closed(idle[1])
            await idle[0][0].readuntil(b"{}")
            assert await front.status(LIVE, idle[0]) == b"HTTP/1.1 200 OK"

    asyncio.run(run())


def test_a_connection_too_many_is_refused_where_none_is_idle() -> None:
    async def run() -> None:
        async with serving(Limits(connections=2)) as front:
            busy = [await front.connect() for _ in range(2)]
            for _, writer in busy:
                writer.write(WIDE[:-1])
            await until(lambda: len(front.server.server_state.tasks) == 2)
            assert await front.status(LIVE) == b"HTTP/1.1 503 Service Unavailable"
            for streams in busy:
                assert await front.status(WIDE[-1:], streams) == b"HTTP/1.1 200 OK"

    asyncio.run(run())
