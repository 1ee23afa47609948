"""The way to Triton: gRPC on one event loop, its errors as TensorFlow Serving's."""

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from .budget import Share
from .documents import Version, known
from .errors import RestError, from_triton, size_of_too_large
from .limits import SMALL, Limits
from .outputs import Output
from .predict import Arrays
from .signature import Signature, read_signature
from .worker import Worker

_Answer = TypeVar("_Answer")
_PROBE_S = 2.0
# Triton closes connections of a certain age, and a request that meets this moment ends with "unavailable": it is sent
# again, which an inference bears. Larger requests than the buffer would not be.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": "inference.GRPCInferenceService"}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
# Around the tensors of an answer: names, shapes, parameters.
_ENVELOPE = 1 << 16


@dataclass
class Inference:
    """A request for a model, in one or several parts.

    `share` counts the bytes of its answers, of which `expected` were foreseen and `size` came.
    """

    model: str
    version: str
    signature: Signature
    share: Share
    expected: int
    size: int = 0


class Triton:
    """A Triton server. Make it while an event loop runs, and close it there."""

    def __init__(self, address: str, limits: Limits, worker: Worker) -> None:
        self._limits, self._worker = limits, worker
        # How large an answer is, is known once it is there. One that is not counted as large must be small.
        self._small = _client(address, SMALL + _ENVELOPE)
        self._large = _client(address, limits.answer_bytes + _ENVELOPE)

    async def close(self) -> None:
        """Close the connections."""
        await self._small.close()
        await self._large.close()

    async def is_ready(self) -> bool:
        """Whether the server is there and ready for requests."""
        try:
            return bool(await self._large.is_server_ready(client_timeout=_PROBE_S))
        except InferenceServerException:
            return False

    async def versions(self, model: str) -> list[Version]:
        """The model's versions, the newest first; none for a model that is not served."""
        call = self._large.get_model_repository_index(client_timeout=self._limits.timeout_s)
        index = await _asked(call, model)
        return known(Version(one.version, one.state, one.reason) for one in index.models if one.name == model)

    async def signature(self, model: str, version: str) -> Signature:
        """The signature as it is now: a model may be replaced between two requests."""
        call = self._large.get_model_config(model, version, client_timeout=self._limits.timeout_s)
        return read_signature((await _asked(call, model, version)).config)

    async def infer(self, call: Inference, arrays: Arrays) -> dict[str, Output]:
        """The outputs by name for one batch of the model, as Triton shapes them."""
        inputs = await self._worker.run(_size(arrays), lambda: _inputs(call.signature, arrays))
        result = await self._ask(call, inputs)
        outputs = _outputs(call.signature, result)
        self._count(call, sum(len(one.raw) for one in outputs.values()))
        return outputs

    async def _ask(self, call: Inference, inputs: list[Any]) -> Any:
        size: int | None = 0
        for client in (self._small, self._large) if call.expected <= SMALL else (self._large,):
            asked = client.infer(call.model, inputs, call.version, client_timeout=self._limits.timeout_s)
            try:
                return (await asked).get_response()
            except InferenceServerException as error:
                size = size_of_too_large(error)
                if size is None:
                    raise from_triton(error, call.model, call.version) from None
            self._expect(call, max(call.size, call.expected) + size)
        raise too_large(size or 0, self._limits)

    def _expect(self, call: Inference, size: int) -> None:
        """Hold what answers of that many bytes in all take."""
        if size > self._limits.answer_bytes + _ENVELOPE:
            raise too_large(size, self._limits)
        if size > call.expected:
            call.share.grow(self._limits.of_answer(size))
            call.expected = size

    def _count(self, call: Inference, size: int) -> None:
        call.size += size
        self._expect(call, call.size)


def too_large(size: int, limits: Limits) -> RestError:
    """The refusal of an answer of that many bytes."""
    allowed = f"more than the {limits.answer_bytes} allowed"
    return RestError(400, f"The answer has {size} bytes of tensors, {allowed}: ask for fewer rows")


async def _asked(call: Awaitable[_Answer], model: str, version: str = "") -> _Answer:
    try:
        return await call
    except InferenceServerException as error:
        raise from_triton(error, model, version) from None


def _size(arrays: Arrays) -> int:
    return sum(64 * one.size if one.dtype.kind == "O" else one.nbytes for one in arrays.values())


def _inputs(signature: Signature, arrays: Arrays) -> list[Any]:
    return [_input(one.name, one.dtype.triton, arrays[one.name]) for one in signature.inputs if one.name in arrays]


def _input(name: str, datatype: str, array: Any) -> Any:
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def _outputs(signature: Signature, response: Any) -> dict[str, Output]:
    raw = response.raw_output_contents
    given = {one.name: (one.shape, raw[number]) for number, one in enumerate(response.outputs) if number < len(raw)}
    outputs = {}
    for one in signature.outputs:
        if one.name not in given:
            raise RestError(500, f"The model gave no output {one.name}")
        shape, content = given[one.name]
        outputs[one.name] = Output(one.dtype, tuple(shape), content)
        outputs[one.name].check(one.name)
    return outputs


def _client(address: str, most_bytes: int) -> Any:
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", most_bytes),
        ("grpc.service_config", json.dumps(_RETRIES)),
        ("grpc.per_rpc_retry_buffer_size", 64 << 20),
        # Triton stands beside the front or in its cluster: a proxy of the environment is for what is outside.
        ("grpc.enable_http_proxy", 0),
    ]
    return triton.InferenceServerClient(address, channel_args=options)
