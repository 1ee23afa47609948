"""Requests to Triton go through no proxy that the environment names."""

import asyncio

import grpc
import pytest
from asgi import client

from tfserving_front.limits import Limits

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class CountingProxy:
    """A proxy that only counts who comes."""

    def __init__(self) -> None:
        self.connections = 0

    async def start(self) -> str:
        """Listen; the address for the environment."""
        self._server = await asyncio.start_server(self._count, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """End."""
        self._server.close()
        await self._server.wait_closed()

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        proxy = CountingProxy()
        address = await proxy.start()
        for name in VARIABLES:
            monkeypatch.setenv(name, address)
        for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        async with client(Limits()) as one:
            assert (await one.ask("/v1/models/one:predict", {"instances": [1.0]})).status == 200
            assert (await one.ask("/v2/health/ready")).status == 200
            assert proxy.connections == 0
            # So a channel without the front's options goes through it.
            async with grpc.aio.insecure_channel(one.triton.address) as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary("/inference.GRPCInferenceService/ServerReady")(b"", timeout=5)
            assert proxy.connections > 0
        await proxy.stop()

    asyncio.run(run())
