"""What a model takes of each example: the name, the dtype and the shape of every input; and values made to fit it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files.errors import ExampleFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One array [*shape] for each input; texts are objects of bytes.
Row = Mapping[str, "NDArray[Any]"]
STRING = "string"
OPEN = -1
LONGEST_SHOWN = 40
INTEGERS = (-(1 << 63), (1 << 64) - 1)
"""The least and the largest whole number that any array holds."""


@dataclass(frozen=True)
class Input:
    """An input as one example has it, without the batch; `dtype` is NumPy's name, or `string`; -1 is any size."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape is an example."""
        return len(shape) == len(self.shape) and all(
            size in (OPEN, there) for size, there in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class Wanted:
    """All inputs of a model; `batched`: a first dimension that no input's shape shows joins the examples."""

    inputs: tuple[Input, ...]
    batched: bool = True

    @property
    def names(self) -> str:
        """The names of the inputs, for a message."""
        return ", ".join(one.name for one in self.inputs)

    @property
    def sole_text(self) -> Input | None:
        """The one input of a model that takes one string per example; None for any other."""
        only = self.inputs[0]
        return only if len(self.inputs) == 1 and only.dtype == STRING and only.shape in ((), (1,), (OPEN,)) else None


def size_of(array: NDArray[Any]) -> int:
    """Bytes of the values of an example: of texts their own."""
    return sum(map(len, array.ravel())) if array.dtype.hasobject else array.nbytes


def fitted(array: NDArray[Any], wanted: Input, where: str) -> NDArray[Any]:
    """The array in the dtype and the shape of the input; ExampleFileError where it can't be without losing anything.

    A number by itself also stands for an array of one, as TensorFlow and Triton write it.
    """
    if not wanted.fits(array.shape) and array.size == 1 and wanted.shape in ((), (1,), (OPEN,)):
        array = array.reshape(wanted.shape and (1,))
    if not wanted.fits(array.shape):
        raise ExampleFileError(where, f"{wanted.name} is {list(array.shape)}", f"{list(wanted.shape)}, -1 being any")
    if wanted.dtype == STRING:
        return _texts(array, wanted, where)
    return _numbers(array, wanted, where)


def _texts(array: NDArray[Any], wanted: Input, where: str) -> NDArray[Any]:
    if array.dtype.kind == "U":
        # As JSON's texts: half of a pair of surrogates stays what it is.
        array = np.char.encode(array, "utf-8", "surrogatepass")
    if array.dtype.kind not in "SO":
        allowed = f'texts, or {{"b64": …}}, as the model takes {wanted}'
        raise ExampleFileError(where, f"{wanted.name} holds {array.dtype}", allowed)
    made: NDArray[Any] = array.astype(object)
    return made


def _numbers(array: NDArray[Any], wanted: Input, where: str) -> NDArray[Any]:
    """Numbers of the input's dtype; what it can't hold exactly as an integer, or at all, is refused."""
    kind, dtype = array.dtype.kind, np.dtype(wanted.dtype)
    takes = f"as the model takes {wanted}"
    if dtype.kind == "b":
        if kind != "b" and not (kind in "iu" and set(np.unique(array)) <= {0, 1}):
            raise ExampleFileError(where, f"{wanted.name} holds {_kind_of(array)}", f"true and false, {takes}")
    elif kind not in "iuf":
        raise ExampleFileError(where, f"{wanted.name} holds {_kind_of(array)}", f"numbers, {takes}")
    elif dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        flat = array.ravel()
        broken = flat[flat != np.rint(flat)] if kind == "f" else flat[:0]
        if broken.size:
            raise ExampleFileError(where, f"{wanted.name} holds {broken[0]:g}", f"whole numbers, {takes}")
        # As numbers of Python, which compares a float with an integer exactly: 2**63 is no int64.
        found = (array.min() if array.min() < limits.min else array.max()).item()
        if not limits.min <= found <= limits.max:
            raise ExampleFileError(where, f"{wanted.name} holds {found:g}", f"{limits.min} to {limits.max}, {takes}")
    with np.errstate(over="ignore"):
        made: NDArray[Any] = array.astype(dtype)
    if dtype.kind == "f":
        lost = array[np.isinf(made) & np.isfinite(array)]
        if lost.size:
            most = np.finfo(dtype).max
            raise ExampleFileError(where, f"{wanted.name} holds {lost[0]:g}", f"{-most:g} to {most:g}, {takes}")
    return made


def _kind_of(array: NDArray[Any]) -> str:
    return {"b": "true and false", "U": "texts", "S": "texts", "O": "bytes"}.get(array.dtype.kind, str(array.dtype))


def from_json(value: object, wanted: Input, where: str) -> NDArray[Any]:
    """A value as TensorFlow Serving's clients write it: nested lists, numbers, texts, and {"b64": …} for bytes."""
    if wanted.dtype == STRING:
        flat: list[bytes] = []
        shape = _gather(value, flat, wanted, where)
        array = np.empty(len(flat), object)
        array[:] = flat
        return fitted(array.reshape(shape), wanted, where)
    try:
        numbers = np.array(value)
    except ValueError:
        raise ExampleFileError(where, f"{wanted.name} holds lists of different lengths", str(wanted)) from None
    if numbers.size == 0:
        numbers = numbers.astype(wanted.dtype)
    if numbers.dtype.kind not in "biuf":
        odd = _first_odd(value)
        what = "whole numbers of 64 bits" if isinstance(odd, int) else "numbers"
        raise ExampleFileError(where, f"{wanted.name} holds {shown(odd)}", f"{what}, as the model takes {wanted}")
    return fitted(numbers, wanted, where)


def _gather(value: object, flat: list[bytes], wanted: Input, where: str) -> tuple[int, ...]:
    """Collect texts in order; the shape that they have in nested lists."""
    if not isinstance(value, list):
        flat.append(text(value, wanted.name, where))
        return ()
    shapes = {_gather(item, flat, wanted, where) for item in value}
    if len(shapes) > 1:
        raise ExampleFileError(where, f"{wanted.name} holds lists of different lengths", str(wanted))
    return (len(value), *(shapes.pop() if shapes else ()))


def text(value: object, name: str, where: str) -> bytes:
    """The bytes of a JSON text, or of {"b64": …}."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and list(value) == ["b64"]:
        return decoded(value["b64"], name, where)
    raise ExampleFileError(where, f"{name} holds {shown(value)}", 'texts, or {"b64": BASE64} for bytes')


def decoded(value: object, name: str, where: str) -> bytes:
    """The bytes of a base64 text."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise ExampleFileError(where, f"{name} holds {shown(value)} as b64", "base64 with its padding") from None


def shown(value: object) -> str:
    """A value in a message, cut short."""
    written = repr(value)
    return written if len(written) <= LONGEST_SHOWN else written[: LONGEST_SHOWN - 3] + "..."


def _first_odd(value: object) -> object:
    """The first part of nested lists that is no number."""
    if isinstance(value, list):
        return next((odd for item in value if (odd := _first_odd(item)) is not _FINE), _FINE)
    fits = isinstance(value, float) or (isinstance(value, int) and INTEGERS[0] <= value <= INTEGERS[1])
    return _FINE if fits else value


_FINE = object()
