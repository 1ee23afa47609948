"""The way to Triton: gRPC on one event loop, its errors as TensorFlow Serving's."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import numpy as np
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from .documents import Version, known
from .errors import from_triton
from .predict import Arrays
from .shapes import fit, split, unfit
from .signature import Signature, read_signature

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
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.per_rpc_retry_buffer_size", 64 << 20),
]


class Triton:
    """A Triton server. Every failure is a RestError. Make it while an event loop runs, and close it there."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._client = triton.InferenceServerClient(address, channel_args=_CHANNEL)
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def is_ready(self) -> bool:
        """Whether the server is there and ready for requests."""
        try:
            return bool(await self._client.is_server_ready(client_timeout=_PROBE_S))
        except InferenceServerException:
            return False

    async def versions(self, model: str) -> list[Version]:
        """The model's versions, the newest first; none for a model that is not served."""
        index = await self._asked(self._client.get_model_repository_index(client_timeout=self._timeout_s), model)
        return known(Version(one.version, one.state, one.reason) for one in index.models if one.name == model)

    async def signature(self, model: str, version: str) -> Signature:
        """The signature as it is now: a model may be replaced between two requests."""
        call = self._client.get_model_config(model, version, client_timeout=self._timeout_s)
        return read_signature((await self._asked(call, model, version)).config)

    async def infer(self, model: str, version: str, signature: Signature, arrays: Arrays) -> Arrays:
        """The outputs by name, all in the shapes that the model itself takes and gives."""
        fitted = fit(arrays, signature)
        parts = [self._infer_part(model, version, signature, part) for part in split(fitted.arrays, signature)]
        answers = await asyncio.gather(*parts)
        return unfit(_joined(answers), signature, fitted.added)

    async def _infer_part(self, model: str, version: str, signature: Signature, arrays: Arrays) -> Arrays:
        inputs = [
            _input(one.name, one.dtype.triton, arrays[one.name]) for one in signature.inputs if one.name in arrays
        ]
        call = self._client.infer(model, inputs, version, client_timeout=self._timeout_s)
        result = await self._asked(call, model, version)
        return {one.name: result.as_numpy(one.name) for one in signature.outputs}

    async def _asked(self, call: Awaitable[_Answer], model: str, version: str = "") -> _Answer:
        try:
            return await call
        except InferenceServerException as error:
            raise from_triton(error, model, version) from None


def _input(name: str, datatype: str, array: Any) -> Any:
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
