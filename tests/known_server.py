"""A gRPC server that speaks as much of Triton's protocol as the load needs, and answers by a known pattern.

As a program: `python FILE HOST PATTERN [NUMBER ...]`, which prints its port, and then the time of each inference
request in seconds. PATTERNs: `fixed MS`; `fail NTH MS`, where each NTH request fails at once and the others take MS;
`unavailable NTH MS`, the same as a server that is not there; `never`. What guards it stands in its environment.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from child_output import ChildOutput
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

MODEL = "m"
_GUARD = "KNOWN_SERVER_GUARD"


@dataclass(frozen=True)
class Guard:
    """What a server asks of its clients: TLS by files of a certificate and its key, a client certificate of a CA, and
    headers, each with its value, such as a token."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Headers(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses requests without the headers: `UNAUTHENTICATED` where one is missing, `PERMISSION_DENIED` for another."""

    def __init__(self, guard: Guard) -> None:
        self._headers = dict(guard.headers)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        sent = dict(details.invocation_metadata)
        for name, value in self._headers.items():
            if sent.get(name) == value:
                continue
            code = grpc.StatusCode.PERMISSION_DENIED if name in sent else grpc.StatusCode.UNAUTHENTICATED

            async def refuse(request: Any, context: Any, code: Any = code) -> None:
                await context.abort(code, "refused by the guard")

            return grpc.unary_unary_rpc_method_handler(refuse)
        return await continuation(details)


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
        if self._pattern == "unavailable" and self._count % int(self._numbers[0]) == 0:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "told to be gone")
        await asyncio.sleep(self._numbers[-1] / 1000)
        return service_pb2.ModelInferResponse(model_name=MODEL, raw_output_contents=[bytes(4)])


@dataclass(frozen=True)
class Known:
    """A running one: where it answers, and when inference requests came."""

    address: str
    _output: ChildOutput

    def requests(self, count: int) -> list[float]:
        """Wait for so many inference requests; when they came, in seconds."""
        return [float(self._output.line()) for _ in range(count)]


@contextmanager
def known_server(*pattern: object, host: str = "127.0.0.1", guard: Guard | None = None) -> Iterator[Known]:
    """One in a process of its own."""
    command = [sys.executable, __file__, host, *map(str, pattern)]
    environment = os.environ | ({_GUARD: json.dumps(asdict(guard))} if guard else {})
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    output = ChildOutput(server)
    try:
        port = int(output.line())
        yield Known(f"{f'[{host}]' if ':' in host else host}:{port}", output)
    finally:
        server.kill()
        server.wait()
        output.close()


def _credentials(guard: Guard) -> grpc.ServerCredentials:
    pair = Path(guard.key).read_bytes(), Path(guard.certificate).read_bytes()
    trusted = Path(guard.client_ca).read_bytes() if guard.client_ca else None
    return grpc.ssl_server_credentials([pair], trusted, require_client_auth=bool(trusted))


async def main() -> None:
    """Serve until killed."""
    host, pattern, *numbers = sys.argv[1:]
    guard = Guard(**json.loads(os.environ.get(_GUARD, "{}")))
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", 100_000)], interceptors=[Headers(guard)]
    )
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
        KnownServer(pattern, [float(number) for number in numbers]), server
    )
    at = f"[{host}]:0" if ":" in host else f"{host}:0"
    port = server.add_secure_port(at, _credentials(guard)) if guard.certificate else server.add_insecure_port(at)
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
