"""The shapes that clients send, as Triton wants them, and the outputs' back again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from .errors import BadRequestError, RestError
from .outputs import Output
from .predict import Arrays
from .signature import Signature, Tensor


@dataclass(frozen=True)
class Fitted:
    """Inputs in the shapes that Triton wants, and how many dimensions of size 1 were added to each."""

    arrays: Arrays
    added: int


def fit(arrays: Mapping[str, Any], signature: Signature) -> Fitted:
    """The inputs of a request as Triton wants them.

    TensorFlow runs a graph on every shape that its operations take: the official half_plus_two declares [-1, 1] and
    is asked with [3]. Triton refuses other numbers of dimensions, so missing ones of size 1 at the end are added.
    """
    declared = {one.name: one for one in signature.inputs}
    fitted = {name: _fitted(array, declared[name]) for name, array in arrays.items()}
    added = {fitted[name].ndim - array.ndim for name, array in arrays.items() if not _is_reshaped(declared[name])}
    return Fitted(fitted, added.pop() if len(added) == 1 else 0)


def _fitted(array: Any, tensor: Tensor) -> Any:
    if _is_reshaped(tensor):
        try:
            return array.reshape((*array.shape[:1], *tensor.served[1:]) if tensor.served[0] == -1 else tensor.served)
        except ValueError:
            raise BadRequestError(
                f"Input {tensor.name} has shape {list(array.shape)}, expected {list(tensor.shape)}"
            ) from None
    missing = tensor.shape[array.ndim :]
    return array.reshape((*array.shape, *(1 for _ in missing))) if set(missing) == {1} else array


def unfit(outputs: Mapping[str, Output], signature: Signature, added: int) -> dict[str, Output]:
    """The outputs in the shapes that the model itself gives, without the dimensions that `fit` added to the inputs."""
    declared = {one.name: one for one in signature.outputs}
    return {name: replace(one, shape=_unfitted(one.shape, declared[name], added)) for name, one in outputs.items()}


def _unfitted(shape: tuple[int, ...], tensor: Tensor, added: int) -> tuple[int, ...]:
    if _is_reshaped(tensor):
        return _reshaped(shape, (*shape[:1], *tensor.shape[1:]) if tensor.shape[:1] == (-1,) else tensor.shape, tensor)
    if added and shape[-added:] == (1,) * added:
        return shape[:-added]
    return shape


def _reshaped(shape: tuple[int, ...], wanted: tuple[int, ...], tensor: Tensor) -> tuple[int, ...]:
    known = prod(size for size in wanted if size != -1)
    filled = tuple(prod(shape) // known if size == -1 and known else size for size in wanted)
    if -1 in filled or prod(filled) != prod(shape):
        raise RestError(500, f"Output {tensor.name} has shape {list(shape)}, which does not become {list(wanted)}")
    return filled


def _is_reshaped(tensor: Tensor) -> bool:
    return tensor.shape != tensor.served


def rows_of(arrays: Mapping[str, Any]) -> int:
    """The rows of a batch."""
    return max((len(array) for array in arrays.values() if array.ndim), default=0)


def split(arrays: Mapping[str, Any], signature: Signature) -> Iterator[Arrays]:
    """A batch in parts of the model's maximum: TensorFlow Serving's clients know none."""
    size = rows_of(arrays)
    most = signature.max_batch_size or size
    if size <= most or any(not array.ndim or len(array) != size for array in arrays.values()):
        yield dict(arrays)
        return
    for start in range(0, size, most):
        yield {name: array[start : start + most] for name, array in arrays.items()}
