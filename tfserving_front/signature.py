"""What a model takes and gives: Triton's configuration as TensorFlow Serving's signature."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from tritonclient.grpc import model_config_pb2 as pb

from .errors import BadRequestError, RestError

DEFAULT_SIGNATURE = "serving_default"
# The parameter of Triton's TensorFlow backend that chooses a SavedModel's signature.
_SIGNATURE_PARAMETER = "TF_SIGNATURE_DEF"
_MOST_PARTS = 32


@dataclass(frozen=True)
class Dtype:
    """An element type as Triton, TensorFlow and NumPy name it."""

    triton: str
    tensorflow: str
    numpy: type[np.generic]

    @property
    def short(self) -> str:
        """As TensorFlow's messages say it: float, int32, string."""
        return self.tensorflow.removeprefix("DT_").lower()

    @property
    def is_string(self) -> bool:
        """Whether an element is a string: then elements have no common size."""
        return self.numpy is np.object_


DTYPES = {
    pb.TYPE_BOOL: Dtype("BOOL", "DT_BOOL", np.bool_),
    pb.TYPE_UINT8: Dtype("UINT8", "DT_UINT8", np.uint8),
    pb.TYPE_UINT16: Dtype("UINT16", "DT_UINT16", np.uint16),
    pb.TYPE_UINT32: Dtype("UINT32", "DT_UINT32", np.uint32),
    pb.TYPE_UINT64: Dtype("UINT64", "DT_UINT64", np.uint64),
    pb.TYPE_INT8: Dtype("INT8", "DT_INT8", np.int8),
    pb.TYPE_INT16: Dtype("INT16", "DT_INT16", np.int16),
    pb.TYPE_INT32: Dtype("INT32", "DT_INT32", np.int32),
    pb.TYPE_INT64: Dtype("INT64", "DT_INT64", np.int64),
    pb.TYPE_FP16: Dtype("FP16", "DT_HALF", np.float16),
    pb.TYPE_FP32: Dtype("FP32", "DT_FLOAT", np.float32),
    pb.TYPE_FP64: Dtype("FP64", "DT_DOUBLE", np.float64),
    pb.TYPE_STRING: Dtype("BYTES", "DT_STRING", np.object_),
}


@dataclass(frozen=True)
class Tensor:
    """An input or output. `shape` is the one that clients see, `served` the one that Triton wants; -1 is open.

    They differ where the model's configuration reshapes: Triton cannot name a shape without dimensions.
    """

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    served: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True)
class Signature:
    """The one signature of a model on Triton. `max_batch_size` is 0 where the model takes no batches.

    `parts_at_a_time`: of a batch that is larger, so many parts keep all instances busy and fit into the model's queue.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    max_batch_size: int
    parts_at_a_time: int = 1

    def answer_bytes(self, rows: int) -> int | None:
        """Bytes of all outputs for that many rows; None where a dimension is open, or an output has strings."""
        shapes = [one.served[1:] if self.max_batch_size else one.served for one in self.outputs]
        if any(-1 in shape for shape in shapes) or any(one.dtype.is_string for one in self.outputs):
            return None
        sizes = [np.dtype(one.dtype.numpy).itemsize for one in self.outputs]
        one_row = sum(prod(shape) * size for shape, size in zip(shapes, sizes, strict=True))
        return one_row * rows if self.max_batch_size else one_row

    def check_name(self, asked: object) -> None:
        """BadRequestError unless the request asks for this signature, or for none."""
        if not isinstance(asked, str):
            raise BadRequestError("'signature_name' key must be a string value.")
        if asked not in ("", self.name):
            raise BadRequestError(f'Serving signature name: "{asked}" not found in signature def')


def read_signature(config: pb.ModelConfig) -> Signature:
    """The signature of a model by its configuration; RestError for a type that has no JSON."""
    chosen = _SIGNATURE_PARAMETER in config.parameters
    batched = config.max_batch_size > 0
    return Signature(
        name=config.parameters[_SIGNATURE_PARAMETER].string_value if chosen else DEFAULT_SIGNATURE,
        inputs=tuple(_tensor(one, batched, one.optional) for one in config.input),
        outputs=tuple(_tensor(one, batched) for one in config.output),
        max_batch_size=config.max_batch_size,
        parts_at_a_time=_parts_at_a_time(config),
    )


def _parts_at_a_time(config: pb.ModelConfig) -> int:
    """One part for each instance to work on and one more to follow it, as far as the model's queue has room."""
    instances: int = sum(max(1, one.count) * max(1, len(one.gpus)) for one in config.instance_group)
    batching = config.dynamic_batching
    policies, level = batching.priority_queue_policy, batching.default_priority_level
    policy = policies.get(level, batching.default_queue_policy)
    room = int(policy.max_queue_size) or _MOST_PARTS
    return max(1, min(2 * max(1, instances), room, _MOST_PARTS))


def _tensor(config: Any, batched: bool, optional: bool = False) -> Tensor:
    dtype = DTYPES.get(config.data_type)
    if dtype is None:
        raise RestError(501, f"{config.name} is of {pb.DataType.Name(config.data_type)}, which has no JSON form")
    seen = config.reshape.shape if config.HasField("reshape") else config.dims
    return Tensor(config.name, dtype, _with_batch(seen, batched), _with_batch(config.dims, batched), optional)


def _with_batch(dims: Sequence[int], batched: bool) -> tuple[int, ...]:
    return (-1, *dims) if batched else tuple(dims)
