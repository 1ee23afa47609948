"""A gRPC server that speaks as much of Triton's protocol as the load needs, and answers by a known pattern.

As a program: `python FILE HOST PATTERN [NUMBER ...]`, which prints its port, and then the time of each inference
request in seconds. PATTERNs: `fixed MS`; `fail NTH MS`, where each NTH request fails at once and the others take MS;
`never`.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

MODEL = "m"


class KnownServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """One model, whose input is a number."""

    def __init__(self, pattern: str, numbers: list[float]) -> None:
        self._pattern, self._numbers, self._count = pattern, numbers, 0

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerLiveResponse(live=True)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ModelReadyResponse(ready=True)

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerMetadataResponse(name="known", version="1")

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = service_pb2.RepositoryIndexResponse()
        answer.models.add(name=MODEL, version="1", state="READY")
        # As Triton lists a repository in which other programs have been, and a model of two versions.
        answer.models.add(name=MODEL, version="2", state="READY")
        for name in (".git", ".ipynb_checkpoints", "lost+found"):
            answer.models.add(name=name, state="UNAVAILABLE")
        return answer

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name != MODEL:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        answer = service_pb2.ModelMetadataResponse(name=MODEL, versions=["1"], platform="known")
        answer.inputs.add(name="x", datatype="FP32", shape=[-1, 1])
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name != MODEL:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        config = model_config_pb2.ModelConfig(name=MODEL, max_batch_size=8)
        config.input.add(name="x", data_type=model_config_pb2.TYPE_FP32, dims=[1])
        return service_pb2.ModelConfigResponse(config=config)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count += 1
        print(time.monotonic(), flush=True)
        if self._pattern == "never":
            await asyncio.sleep(3600)
        if self._pattern == "fail" and self._count % int(self._numbers[0]) == 0:
            await context.abort(grpc.StatusCode.INTERNAL, "told to fail")
        await asyncio.sleep(self._numbers[-1] / 1000)
        return service_pb2.ModelInferResponse(model_name=MODEL, raw_output_contents=[bytes(4)])


@dataclass(frozen=True)
class Known:
    """A running one: where it answers, and its process, which prints a line for each inference request."""

    address: str
    process: "subprocess.Popen[str]"

    def requests(self, count: int) -> list[float]:
        """Wait for so many inference requests; when they came, in seconds."""
        assert self.process.stdout is not None
        return [float(self.process.stdout.readline()) for _ in range(count)]


@contextmanager
def known_server(*pattern: object, host: str = "127.0.0.1") -> Iterator[Known]:
    """One in a process of its own."""
    command = [sys.executable, __file__, host, *map(str, pattern)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        yield Known(f"{f'[{host}]' if ':' in host else host}:{port}", server)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


async def main() -> None:
    """Serve until killed."""
    host, pattern, *numbers = sys.argv[1:]
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", 100_000)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
        KnownServer(pattern, [float(number) for number in numbers]), server
    )
    port = server.add_insecure_port(f"[{host}]:0" if ":" in host else f"{host}:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
