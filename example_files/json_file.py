"""Examples in JSON: TensorFlow Serving's instances, one document or one a line, and perf_analyzer's --input-data."""

from __future__ import annotations

import gzip
import json
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from example_files.errors import ExampleFileError
from example_files.wanted import OPEN, STRING, Input, Row, Wanted, decoded, fitted, from_json, shown, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINES = "a JSON value a line: an instance of TensorFlow Serving, or a request with instances or inputs"
DOCUMENT = 'a request of TensorFlow Serving {"instances": […]}, or perf_analyzer\'s {"data": […]}'
LONGEST_LINE = 1 << 28
"""Bytes: an instance of 256 MiB is no line of text."""


def rows(path: Path, wanted: Wanted) -> Iterator[Row]:
    """The examples of a file, gzip or not: of each line where the first is JSON by itself, else of one document."""
    with _opened(path) as file:
        first = next((line for line in iter(lambda: _next(file, path), b"") if line.strip()), b"")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        # Neither is said of a file that is named as lines: its first one is wrong.
        if ".jsonl" in path.suffixes:
            _parsed(first, f"{path}, line 1", LINES)
        yield from _document(path, wanted)
        return
    if _is_perf_analyzer(value, wanted):
        yield from _document(path, wanted)
    else:
        yield from _lines(path, wanted)


def _lines(path: Path, wanted: Wanted) -> Iterator[Row]:
    """One JSON value a line; blank lines are skipped."""
    with _opened(path) as file:
        number = 0
        while line := _next(file, path):
            number += 1
            if line.strip():
                where = f"{path}, line {number}"
                yield from _of_value(_parsed(line, where, LINES), wanted, where)


def _document(path: Path, wanted: Wanted) -> Iterator[Row]:
    with _opened(path) as file:
        content = _parsed(_next(file, path, whole=True), str(path), f"{LINES}; or {DOCUMENT}")
    if _is_perf_analyzer(content, wanted):
        yield from _perf_analyzer(content["data"], wanted, str(path))
    elif isinstance(content, dict) and ("instances" in content or "inputs" in content):
        yield from _of_value(content, wanted, str(path))
    else:
        raise ExampleFileError(str(path), shown(content), DOCUMENT)


def _is_perf_analyzer(value: Any, wanted: Wanted) -> bool:
    steps = value.get("data") if isinstance(value, dict) else None
    if not isinstance(steps, list) or not steps:
        return False
    return "data" not in {one.name for one in wanted.inputs} or isinstance(steps[0], dict)


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")  # type: ignore[return-value]  # it reads as one


def _next(file: IO[bytes], path: Path, *, whole: bool = False) -> bytes:
    try:
        return file.read() if whole else file.readline(LONGEST_LINE)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ExampleFileError(str(path), "a broken gzip file", LINES) from None


def _parsed(content: bytes, where: str, allowed: str) -> Any:
    try:
        return json.loads(content)
    except UnicodeDecodeError:
        raise ExampleFileError(where, "no text in UTF-8", allowed) from None
    except RecursionError:
        raise ExampleFileError(where, "lists nested too deeply", allowed) from None
    except ValueError as error:
        raise ExampleFileError(where, f"no JSON ({error})", allowed) from None


def _of_value(value: object, wanted: Wanted, where: str) -> Iterator[Row]:
    """The examples of a request with `instances` (rows) or `inputs` (columns), or of an instance by itself."""
    names = {one.name for one in wanted.inputs}
    if isinstance(value, dict) and "instances" in value and "instances" not in names:
        instances = value["instances"]
        if not isinstance(instances, list) or not instances:
            raise ExampleFileError(where, f"instances {shown(instances)}", "a list of instances")
        for number, instance in enumerate(instances, 1):
            yield _instance(instance, wanted, f"{where}, instance {number}" if len(instances) > 1 else where)
    elif isinstance(value, dict) and "inputs" in value and "inputs" not in names:
        yield from _columns(value["inputs"], wanted, where)
    else:
        yield _instance(value, wanted, where)


def _instance(value: object, wanted: Wanted, where: str) -> Row:
    """One example: an object with a value for each input, or, of a model with one input, the value."""
    names = {one.name for one in wanted.inputs}
    if isinstance(value, dict) and not ("b64" in value and "b64" not in names):
        missing = sorted(names - set(value))
        if missing:
            raise ExampleFileError(
                where, f"an instance with {', '.join(value) or 'nothing'}", f"the inputs {wanted.names}"
            )
        return {one.name: from_json(value[one.name], one, where) for one in wanted.inputs}
    if len(wanted.inputs) > 1:
        raise ExampleFileError(where, shown(value), f"an object with the inputs {wanted.names}")
    return {wanted.inputs[0].name: from_json(value, wanted.inputs[0], where)}


def _columns(inputs: object, wanted: Wanted, where: str) -> Iterator[Row]:
    """TensorFlow Serving's column format: each input with all rows, or the rows alone of a model with one input."""
    columns = inputs if isinstance(inputs, dict) and "b64" not in inputs else {wanted.inputs[0].name: inputs}
    if not wanted.batched:
        yield _instance(columns, wanted, where)
        return
    missing = [one.name for one in wanted.inputs if not isinstance(columns.get(one.name), list)]
    if missing:
        raise ExampleFileError(where, f"inputs {', '.join(columns)}", f"a list of rows for each of {wanted.names}")
    counts = {one.name: len(columns[one.name]) for one in wanted.inputs}
    if len(set(counts.values())) > 1:
        raise ExampleFileError(where, f"rows of the inputs: {counts}", "the same number of rows for each input")
    for row in range(next(iter(counts.values()))):
        yield {one.name: from_json(columns[one.name][row], one, where) for one in wanted.inputs}


def _perf_analyzer(data: list[object], wanted: Wanted, where: str) -> Iterator[Row]:
    """The steps of all streams in their order (Triton's perf_analyzer, documentation, "Input Data")."""
    streams = [stream if isinstance(stream, list) else [stream] for stream in data]
    for number, step in enumerate((step for stream in streams for step in stream), 1):
        here = f"{where}, step {number}"
        missing = [one.name for one in wanted.inputs if not isinstance(step, dict) or one.name not in step]
        if missing or not isinstance(step, dict):
            found = ", ".join(step) if isinstance(step, dict) else shown(step)
            raise ExampleFileError(here, f"a step with {found}", f"the inputs {wanted.names}")
        yield {one.name: _of_step(step[one.name], one, here) for one in wanted.inputs}


def _of_step(value: object, wanted: Input, where: str) -> NDArray[Any]:
    """A tensor of a step: its values in one list, in row-major order, or its bytes in base64; with its shape or not."""
    content, shape = value, wanted.shape
    if isinstance(value, dict) and "content" in value:
        content = value["content"]
        if "shape" in value:
            shape = _shape(value["shape"], wanted, where)
    if isinstance(content, dict) and "b64" in content:
        array = _of_bytes(decoded(content["b64"], wanted.name, where), wanted, where)
    elif isinstance(content, list):
        array = _of_list(content, wanted, where)
    else:
        raise ExampleFileError(
            where, f"{wanted.name} is {shown(value)}", "a list of values, or {b64}, with content and shape"
        )
    if shape.count(OPEN) > 1:
        raise ExampleFileError(where, f"{wanted.name} without its shape", f"one that fits {list(wanted.shape)}")
    if OPEN not in shape and array.size != math.prod(shape):
        raise ExampleFileError(where, f"{wanted.name} has {array.size} values", f"those of {list(shape)}")
    try:
        return fitted(array.reshape(shape), wanted, where)
    except ValueError as error:
        if isinstance(error, ExampleFileError):
            raise
        raise ExampleFileError(where, f"{wanted.name} has {array.size} values", f"those of {list(shape)}") from None


def _shape(value: object, wanted: Input, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(size, int) and size >= 0 for size in value):
        raise ExampleFileError(where, f"{wanted.name} has the shape {shown(value)}", "a list of whole numbers")
    return tuple(value)


def _of_list(content: list[object], wanted: Input, where: str) -> NDArray[Any]:
    flat = list(_flat(content))
    if wanted.dtype == STRING:
        texts = np.empty(len(flat), object)
        texts[:] = [text(item, wanted.name, where) for item in flat]
        return texts
    return from_json(flat, Input(wanted.name, wanted.dtype, (OPEN,)), where)


def _flat(content: list[object]) -> Iterator[object]:
    for item in content:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _of_bytes(data: bytes, wanted: Input, where: str) -> NDArray[Any]:
    """The bytes that are sent: little-endian numbers, or texts that each begin with their length (uint32)."""
    if wanted.dtype != STRING:
        dtype = np.dtype(wanted.dtype)
        if len(data) % dtype.itemsize:
            raise ExampleFileError(where, f"{wanted.name} has {len(data)} bytes", f"a multiple of {dtype.itemsize}")
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
    texts: list[bytes] = []
    place = 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, place)
        texts.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    if place != len(data):
        raise ExampleFileError(
            where, f"{wanted.name} holds no texts as b64", "texts that each begin with their length (uint32)"
        )
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
