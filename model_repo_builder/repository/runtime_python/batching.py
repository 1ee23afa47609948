"""The part of a generated model.py that joins the requests of a dynamic batch, and gives each its own rows back."""

from collections.abc import Callable
from typing import Any

import numpy

Arrays = dict[str, Any]


class Joined:
    """The rows of a dynamic batch, one after the other in memory that is kept and that frameworks can use as it is.

    Fresh memory for each batch would cost more than the copy into it: the kernel clears every page first. A loader may
    give memory of its own, as many bytes as its largest batch has.
    """

    def __init__(self, memory: Any = None) -> None:
        self.memory = numpy.empty(0, numpy.uint8) if memory is None else memory

    def join(self, parts: list[Any]) -> Any:
        """One array of all rows; a single part that lies on a 64-byte boundary is given back without a copy."""
        first = parts[0]
        if first.dtype.hasobject:
            return numpy.concatenate(parts)
        if len(parts) == 1 and first.ctypes.data % 64 == 0:
            return first
        size = sum(part.nbytes for part in parts)
        if size > len(self.memory):
            fresh = numpy.empty(size + 64, numpy.uint8)
            offset = -fresh.ctypes.data % 64
            self.memory = fresh[offset : offset + size]
        rows = sum(len(part) for part in parts)
        joined = self.memory[:size].view(first.dtype).reshape(rows, *first.shape[1:])
        return numpy.concatenate(parts, out=joined)


class Batcher:
    """Runs requests through `run`: joined along their first dimension, or one after the other without a batch.

    `run.memory`, where it has one, is what batches of each input are joined in.
    """

    def __init__(self, run: Callable[[Arrays], Arrays], inputs: list[str], *, batched: bool) -> None:
        self.run = run
        self.batched = batched
        memory = getattr(run, "memory", {})
        self.joined = {name: Joined(memory.get(name)) for name in inputs}

    def answer(self, requests: list[Arrays]) -> list[Arrays]:
        """The outputs of each request; ValueError where the rows of an output are not those of the requests."""
        if not self.batched:
            return [self.run(request) for request in requests]
        first = next(iter(self.joined))
        counts = [len(request[first]) for request in requests]
        results = self.run(
            {name: one.join([request[name] for request in requests]) for name, one in self.joined.items()}
        )
        for name, array in results.items():
            if array.ndim < 1 or len(array) != sum(counts):
                raise ValueError(
                    f"output {name} has the shape {list(array.shape)} for a batch of {sum(counts)}: "
                    "its rows can't be given to their requests"
                )
        answers, start = [], 0
        for count in counts:
            answers.append({name: array[start : start + count] for name, array in results.items()})
            start += count
        return answers
