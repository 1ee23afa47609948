"""A bounded sample of examples beside a model: JSONL of TensorFlow Serving instances, gzip, that every tool here reads.

Each line is an instance: an object with a value for each input, texts as {"b64": …}. `zcat examples.jsonl.gz` shows it.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files.wanted import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "examples.jsonl.gz"
MOST_ROWS = 32
MOST_BYTES = 2 << 20
"""Bytes of the file: some ten images of 224 x 224 pixels, and beside any model's weights nothing."""


def write(path: Path, rows: Iterable[Row]) -> int:
    """Write the first of the rows that fit, at least one; returns how many. The same rows give the same bytes."""
    packed = io.BytesIO()
    count = 0
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=packed, mtime=0) as file:
        for row in rows:
            if count == MOST_ROWS:
                break
            line = json.dumps({name: _value(array) for name, array in row.items()}, separators=(",", ":"))
            # What a row adds is known before the file is: so a sample never grows beyond its bound.
            if count and packed.tell() + len(gzip.compress(line.encode(), 6)) > MOST_BYTES:
                break
            file.write(line.encode() + b"\n")
            file.flush()
            count += 1
    path.write_bytes(packed.getvalue())
    return count


def _value(array: NDArray[Any]) -> Any:
    if array.dtype.hasobject:
        encoded = np.empty(array.shape, object)
        for place in np.ndindex(array.shape):
            encoded[place] = {"b64": base64.b64encode(array[place]).decode("ascii")}
        return encoded.tolist()
    if array.dtype.kind == "f":
        return _numbers(array)
    return array.tolist()


def _numbers(array: NDArray[Any]) -> Any:
    """Floats as the shortest text that gives them back: whole ones, such as pixels, without a fraction."""
    if array.size and np.array_equal(array, np.rint(array)) and np.abs(array).max() < 1 << 53:
        return array.astype(np.int64).tolist()
    if array.dtype == np.float64:
        return array.tolist()
    return np.vectorize(lambda number: float(str(number)), otypes=[object])(array).tolist()
