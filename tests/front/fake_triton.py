"""A server that speaks Triton's protocol on loopback, with models of known behaviour."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

ONE = """max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 1 }
output { name: "y" data_type: TYPE_FP32 dims: 1 }
"""
OPEN = ONE.replace('"y" data_type: TYPE_FP32 dims: 1', '"y" data_type: TYPE_FP32 dims: -1')
QUEUE = """max_batch_size: 2
input { name: "x" data_type: TYPE_FP32 dims: 1 }
output { name: "y" data_type: TYPE_FP32 dims: 1 }
instance_group { count: 1 kind: KIND_CPU }
dynamic_batching { default_queue_policy { max_queue_size: 4 } }
"""
WIDE = """max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 1 }
output { name: "y" data_type: TYPE_FP32 dims: [1000, 1000] }
"""
TEXT = """max_batch_size: 4
input { name: "s" data_type: TYPE_STRING dims: 1 reshape { } }
output { name: "s_out" data_type: TYPE_STRING dims: 1 reshape { } }
output { name: "size" data_type: TYPE_INT64 dims: 1 reshape { } }
"""
Tensors = dict[str, tuple[list[int], bytes]]


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """`asked` counts the inferences of each model, `most` how many of them were there at a time."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[str, Callable[[Any], Awaitable[Tensors]]]] = {
            "one": (ONE, _twice),
            "open": (OPEN, _as_many),
            "wide": (WIDE, _wide),
            "text": (TEXT, _text),
            "queue": (QUEUE, self._queued),
            "stuck": (ONE, self._stuck),
            "failing": (ONE, self._failing),
            "weak": (ONE, _wrong_shape),
        }
        self.asked: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.cancelled = 0
        self.release = asyncio.Event()
        self.failure = "boom"
        self.is_ready = True
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self) -> None:
        """End."""
        self.release.set()
        await self._server.stop(0)

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerReadyResponse(ready=self.is_ready)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        made = service_pb2.RepositoryIndexResponse
        failed = made.ModelIndex(name="one", version="2", state="UNAVAILABLE", reason=f"at {self.failure}")
        return made(models=[made.ModelIndex(name=one, version="1", state="READY") for one in self.models] + [failed])

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name not in self.models or request.version not in ("", "1"):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        config = text_format.Parse(self.models[request.name][0], model_config_pb2.ModelConfig())
        return service_pb2.ModelConfigResponse(config=config)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        name = request.model_name
        self.asked[name] += 1
        self.now[name] += 1
        self.most[name] = max(self.most[name], self.now[name])
        try:
            tensors = await self.models[name][1](request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except _RefusalError as refusal:
            await context.abort(refusal.code, str(refusal))
        finally:
            self.now[name] -= 1
        answer = service_pb2.ModelInferResponse(model_name=name, model_version="1")
        for output, (shape, raw) in tensors.items():
            answer.outputs.add(name=output, shape=shape)
            answer.raw_output_contents.append(raw)
        return answer

    async def _queued(self, request: Any) -> Tensors:
        if self.now["queue"] > 1 + 4:
            raise _RefusalError(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
        await asyncio.sleep(0.002)
        return await _twice(request)

    async def _stuck(self, request: Any) -> Tensors:
        await self.release.wait()
        return await _twice(request)

    async def _failing(self, request: Any) -> Tensors:
        raise _RefusalError(grpc.StatusCode.INTERNAL, self.failure)


class _RefusalError(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


async def _twice(request: Any) -> Tensors:
    x = np.frombuffer(request.raw_input_contents[0], np.float32)
    if list(request.inputs[0].shape[1:]) != [1]:
        raise _RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape")
    return {"y": ([len(x), 1], (2 * x).tobytes())}


async def _as_many(request: Any) -> Tensors:
    """As many numbers as the largest value says, at most a million."""
    x = np.frombuffer(request.raw_input_contents[0], np.float32)
    count = int(np.nan_to_num(x, posinf=1e6).clip(0, 1e6).max(initial=0))
    return {"y": ([1, count], np.full(count, 0.5, np.float32).tobytes())}


async def _wide(request: Any) -> Tensors:
    rows = request.inputs[0].shape[0]
    return {"y": ([rows, 1000, 1000], np.full(rows * 1_000_000, 0.25, np.float32).tobytes())}


async def _text(request: Any) -> Tensors:
    rows, raw = request.inputs[0].shape[0], request.raw_input_contents[0]
    return {"s_out": ([rows, 1], raw), "size": ([rows, 1], np.arange(rows).tobytes())}


async def _wrong_shape(request: Any) -> Tensors:
    return {"y": ([3, 1], b"1234")}
