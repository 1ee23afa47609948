"""A tensor as TensorFlow Serving's clients write it in JSON: nested lists, strings, and {"b64": …} for bytes."""

import json
from collections.abc import Callable
from itertools import chain, islice
from typing import Any

import numpy as np

from . import abseil_base64
from .errors import BadRequestError
from .signature import Dtype

_B64 = "b64"
_SHOWN = 256
# As many dimensions as a NumPy array can have.
_MOST_DIMENSIONS = 32
_NAMES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", bool: "Bool"}
_ALLOWED: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}, "O": {str, dict}}


def is_b64(value: object) -> bool:
    """Whether a JSON value is bytes in Base64."""
    return isinstance(value, dict) and value.keys() == {_B64} and isinstance(value[_B64], str)


def to_array(value: object, dtype: Dtype) -> Any:
    """A JSON value as an array of that type, shaped as its lists are nested; BadRequestError says what is wrong."""
    shape, items = _flatten(value)
    kind = np.dtype(dtype.numpy).kind
    if not set(map(type, items)) <= _ALLOWED[kind]:
        raise _wrong_type(next(item for item in items if type(item) not in _ALLOWED[kind]), dtype)
    return _CONVERT[kind](items, dtype).reshape(shape)


def _flatten(value: object) -> tuple[list[int], list[Any]]:
    """The shape of nested lists, and their values in order. Whole levels at once: an image has 150,000 values."""
    shape: list[int] = []
    items: list[Any] = [value]
    while True:
        kinds = set(map(type, items))
        if list not in kinds:
            return shape, items
        if len(kinds) > 1:
            raise BadRequestError(f"Encountered values beside lists at level: {len(shape)}")
        if len(shape) == _MOST_DIMENSIONS:
            raise BadRequestError(f"Encountered lists at level: {len(shape)}, more than a tensor has dimensions")
        sizes = set(map(len, items))
        if len(sizes) > 1:
            listed = ", ".join(map(str, sorted(sizes)[:3]))
            raise BadRequestError(f"Encountered lists of different sizes at level: {len(shape)} ({listed})")
        shape.append(sizes.pop())
        items = list(chain.from_iterable(items))


def _floats(items: list[Any], dtype: Dtype) -> Any:
    try:
        array = np.array(items, np.float64)
    except OverflowError:
        raise _lossy(max(items, key=abs), dtype) from None
    limits = np.finfo(np.dtype(dtype.numpy).name)
    # From here on some whole number has no float of its own. TensorFlow Serving knows no half floats.
    exact = float(limits.max) if dtype.numpy is np.float16 else 2.0 ** (limits.nmant + 1) - 1
    if max(np.fmax.reduce(array, initial=0), -np.fmin.reduce(array, initial=0)) > exact:
        _check_loss(items, array, exact, dtype)
    return array.astype(dtype.numpy)


def _check_loss(items: list[Any], array: Any, exact: float, dtype: Dtype) -> None:
    """BadRequestError for a number beyond the type, and for a large whole one: as TensorFlow Serving refuses them."""
    large = np.flatnonzero(np.isfinite(array) & (np.abs(array) > exact))
    beyond = large[np.abs(array[large]) > np.finfo(np.dtype(dtype.numpy).name).max]
    whole = (number for number in large if type(items[number]) is int)
    for number in chain(beyond[:1], whole):
        raise _lossy(items[number], dtype)


def _lossy(item: Any, dtype: Dtype) -> BadRequestError:
    return BadRequestError(f"Cannot convert JSON value: {_show(item)} to {dtype.short} without loss of precision.")


def _integers(items: list[Any], dtype: Dtype) -> Any:
    limits = np.iinfo(dtype.numpy)  # type: ignore[type-var]  # the table gives integers only
    for item in (min(items, default=0), max(items, default=0)):
        if not limits.min <= item <= limits.max:
            raise BadRequestError(f"JSON Value: {_show(item)} does not fit {dtype.short}")
    return np.array(items, dtype.numpy)


def _booleans(items: list[Any], dtype: Dtype) -> Any:
    return np.array(items, dtype.numpy)


def _strings(items: list[Any], dtype: Dtype) -> Any:
    array = np.empty(len(items), dtype.numpy)
    array[:] = [_bytes(item, dtype) for item in items]
    return array


_CONVERT: dict[str, Callable[[list[Any], Dtype], Any]] = {
    "f": _floats,
    "i": _integers,
    "u": _integers,
    "b": _booleans,
    "O": _strings,
}


def _bytes(item: Any, dtype: Dtype) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if not is_b64(item):
        raise _wrong_type(item, dtype)
    try:
        return abseil_base64.decode(item[_B64])
    except ValueError:
        raise BadRequestError("Unable to base64 decode") from None


def _wrong_type(item: object, dtype: Dtype) -> BadRequestError:
    name = _NAMES.get(type(item), "Null")
    return BadRequestError(f"JSON Value: {_show(item)} Type: {name} is not of expected type: {dtype.short}")


def _show(item: object) -> str:
    """The beginning of a value, written no further than shown: it may be 16 MB, or nested a thousand times."""
    if isinstance(item, str):
        item = item[:_SHOWN]
    return "".join(islice(json.JSONEncoder().iterencode(item), _SHOWN))[:_SHOWN]
