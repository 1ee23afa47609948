"""An output as Triton sends it: bytes, of which values are read as they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import prod
from struct import Struct
from typing import Any

import numpy as np

from .errors import RestError
from .signature import Dtype

_LENGTH = Struct("<I")


@dataclass(frozen=True)
class Output:
    """A tensor of an answer, in row-major order as Triton's binary form; strings have their length before them."""

    dtype: Dtype
    shape: tuple[int, ...]
    raw: bytes

    @property
    def count(self) -> int:
        """How many values it has."""
        return prod(self.shape)

    def check(self, name: str) -> None:
        """RestError unless the bytes are as many as the shape says."""
        if not self.dtype.is_string and len(self.raw) != self.count * np.dtype(self.dtype.numpy).itemsize:
            raise RestError(500, f"Output {name} has {len(self.raw)} bytes, which do not fill {list(self.shape)}")


class Values:
    """The values of an output from first to last: each is read once."""

    def __init__(self, output: Output) -> None:
        self._output, self._at = output, 0
        self._strings = _strings(output.raw) if output.dtype.is_string else iter(())
        # The weight of a value, where a number weighs one.
        self.weight = max(1, len(output.raw) // max(1, output.count) // 8) if output.dtype.is_string else 1

    def take(self, shape: tuple[int, ...]) -> Any:
        """The next values, in that shape. Half floats become floats of their shortest text, bytes stay bytes."""
        count = prod(shape)
        if self._output.dtype.is_string:
            array = np.empty(count, np.object_)
            array[:] = [next(self._strings) for _ in range(count)]
            return array.reshape(shape)
        flat = np.frombuffer(self._output.raw, self._output.dtype.numpy)[self._at : self._at + count]
        self._at += count
        return (shortest_halves()[flat.view(np.uint16)] if flat.dtype == np.float16 else flat).reshape(shape)


def _strings(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        (size,) = _LENGTH.unpack_from(raw, at)
        at += 4 + size
        yield raw[at - size : at]


@cache
def shortest_halves() -> Any:
    """For each half float the number of its shortest text: 0.2, which would be 0.199951171875 as a double."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype("U").astype(np.float64)
