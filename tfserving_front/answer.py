"""The answer's JSON, piece by piece: memory holds the tensors and one piece, however long the text is."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import orjson

from .errors import RestError
from .outputs import Output, Values

Outputs = Mapping[str, Output]
# Values in one piece: orjson holds Python's lock for 3 ms then.
_PIECE = 1 << 16


def check_rows(outputs: Outputs) -> None:
    """RestError unless all outputs have the same number of rows."""
    sizes = {output.shape[:1] for output in outputs.values()}
    if len(sizes) != 1 or sizes == {()}:
        raise RestError(400, "The outputs have different batch sizes or none: ask with 'inputs' instead of 'instances'")


def write_answer(parts: Sequence[Outputs], rows: bool) -> Iterator[bytes]:
    """The body: `predictions`, one for each row, or `outputs` by name; without a name where there is one.

    `parts` are the answers to the parts of a batch, in order.
    """
    names = list(parts[0])
    yield b'{"predictions":' if rows else b'{"outputs":'
    if len(names) == 1:
        yield from _tensor([part[names[0]] for part in parts], names[0])
    elif rows:
        yield from _objects(parts)
    else:
        for number, name in enumerate(names):
            yield (b"," if number else b"{") + orjson.dumps(name) + b":"
            yield from _tensor([part[name] for part in parts], name)
        yield b"}"
    yield b"}"


def _tensor(parts: Sequence[Output], name: str) -> Iterator[bytes]:
    """One tensor, whose first dimension goes over all parts."""
    if not parts[0].shape:
        yield _text(Values(parts[0]).take(()), name)
        return
    yield b"["
    yield from _joined(_items(Values(part), part.shape, name) for part in parts if part.shape[0])
    yield b"]"


def _items(values: Values, shape: tuple[int, ...], name: str) -> Iterator[bytes]:
    """The elements of a tensor's first dimension, without the brackets around them."""
    count, row = shape[0], shape[1:]
    weight = _weight(values, row)
    at_once = max(1, _PIECE // weight)
    for start in range(0, count, at_once):
        if start:
            yield b","
        if weight > _PIECE and row:
            yield b"["
            yield from _items(values, row, name)
            yield b"]"
        else:
            yield _text(values.take((min(at_once, count - start), *row)), name)[1:-1]


def _objects(parts: Sequence[Outputs]) -> Iterator[bytes]:
    """Rows with several outputs."""
    yield b"["
    yield from _joined(_rows(part) for part in parts if next(iter(part.values())).shape[0])
    yield b"]"


def _rows(part: Outputs) -> Iterator[bytes]:
    columns = {name: Values(output) for name, output in part.items()}
    shapes = {name: output.shape[1:] for name, output in part.items()}
    count = next(iter(part.values())).shape[0]
    weight = sum(_weight(columns[name], shapes[name]) for name in columns)
    at_once = max(1, _PIECE // weight)
    for start in range(0, count, at_once):
        if start:
            yield b","
        if weight > _PIECE:
            yield from _row(columns, shapes)
        else:
            size = min(at_once, count - start)
            yield _text_of_rows({name: values.take((size, *shapes[name])) for name, values in columns.items()})


def _row(columns: Mapping[str, Values], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[bytes]:
    """One large row."""
    for number, (name, values) in enumerate(columns.items()):
        yield (b"," if number else b"{") + orjson.dumps(name) + b":"
        if shapes[name]:
            yield b"["
            yield from _items(values, shapes[name], name)
            yield b"]"
        else:
            yield _text(values.take(()), name)
    yield b"}"


def _text_of_rows(columns: Mapping[str, Any]) -> bytes:
    """Rows by name, separated by commas."""
    arrays = {name: _strings(array, name) if array.dtype.kind == "O" else array for name, array in columns.items()}
    if all(array.dtype.kind != "f" or np.isfinite(array).all() for array in arrays.values()):
        rows = [
            dict(zip(arrays, row, strict=True)) for row in zip(*(_each(one) for one in arrays.values()), strict=True)
        ]
        return orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    keys = {name: orjson.dumps(name) + b":" for name in columns}
    count = len(next(iter(columns.values())))
    return b",".join(
        b"{" + b",".join(keys[name] + _text(columns[name][row : row + 1], name)[1:-1] for name in columns) + b"}"
        for row in range(count)
    )


def _each(array: Any) -> Iterable[Any]:
    return array.tolist() if array.dtype.kind == "O" else array  # type: ignore[no-any-return]


def _text(array: Any, name: str) -> bytes:
    """An array as JSON, with NaN and Infinity where orjson writes null."""
    if not array.ndim:
        return _text(array.reshape(1), name)[1:-1]
    if array.dtype.kind == "O":
        return orjson.dumps(_strings(array, name).tolist())
    text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return text
    words = [_word(value) for value in array[~np.isfinite(array)].tolist()]
    return b"".join(chain.from_iterable(zip(text.split(b"null"), [*words, b""], strict=True)))


def _word(value: float) -> bytes:
    return b"NaN" if value != value else b"Infinity" if value > 0 else b"-Infinity"


def _strings(array: Any, name: str) -> Any:
    """Strings whose tensor's name ends in _bytes, or that are no UTF-8, go in Base64."""
    as_bytes = name.endswith("_bytes")
    strings = np.empty(array.size, np.object_)
    strings[:] = [_string(item, as_bytes) for item in array.reshape(-1)]
    return strings.reshape(array.shape)


def _string(item: bytes, as_bytes: bool) -> Any:
    if not as_bytes:
        try:
            return item.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(item).decode("ascii")}


def _weight(values: Values, shape: tuple[int, ...]) -> int:
    """The weight of a tensor of that shape; dimensions without elements still have brackets."""
    return prod(max(size, 1) for size in shape) * values.weight


def _joined(texts: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    for number, pieces in enumerate(texts):
        if number:
            yield b","
        yield from pieces
