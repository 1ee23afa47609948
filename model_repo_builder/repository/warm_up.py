"""What Triton runs before a model is ready: which batch sizes, and which of the kept examples each is made of.

Triton reads a sample's data from files in warmup/ beside config.pbtxt: the bytes of one row of each input. A batch is
so many requests of the same row (backend_model_instance.cc, `GenerateWarmupData`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files import rows as files
from example_files.wanted import Row
from model_repo_builder.examples.arrays import wanted
from model_repo_builder.plan.schema import Variant
from model_repo_builder.signature import FLOATS, STRING, Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Where Triton looks for the files (kWarmupDataFolder).
FOLDER = "warmup"
MOST_ROWS = 4
MOST_BYTES = 128 << 20
"""Of the rows of all samples: Triton holds each row once for each request of a batch while an instance starts."""
TYPES = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
    STRING: "TYPE_STRING",
}
# Types that any number is right for; integers are often places in a table.
RANDOM = ("uint8", *FLOATS)


@dataclass(frozen=True)
class Sample:
    """One run: so many requests, of the row at this place; None is for numbers that Triton makes up."""

    batch: int
    row: int | None


def rows(path: Path, signature: Signature) -> tuple[Row, ...]:
    """The rows of a kept sample that a warm-up may use; none where there is no such file."""
    if not path.is_file():
        return ()
    found = files.read(path, wanted(signature), MOST_ROWS)
    return tuple(row for row in found if all(array.size for array in row.values()))


def add(config: Any, variant: Variant, signature: Signature, found: Sequence[Row]) -> None:
    """Add the samples of a variant's warm-up to its ModelConfig; `found` are rows as `rows` gives them."""
    for sample in _samples(variant, signature, found):
        name = f"batch_{sample.batch}" if signature.batched else "alone"
        added = config.model_warmup.add(name=name, batch_size=sample.batch, count=1)
        for place, tensor in enumerate(signature.inputs):
            data = added.inputs[tensor.name]
            data.data_type = TYPES[tensor.dtype]
            shape = tensor.example_shape if sample.row is None else found[sample.row][tensor.name].shape
            data.dims.extend(shape or (1,))
            if sample.row is not None:
                data.input_data_file = _file(sample.row, place)
            # Triton's random numbers are of any size: as the number of a token most would be beyond the vocabulary.
            elif tensor.dtype in RANDOM and tensor.values is None:
                data.random_data = True
            else:
                data.zero_data = True


def write(folder: Path, config: Any, signature: Signature, found: Sequence[Row]) -> None:
    """Write the files that `config` names into warmup/ below `folder`, the directory of the model."""
    named = {data.input_data_file for sample in config.model_warmup for data in sample.inputs.values()} - {""}
    for place, row in enumerate(found):
        for number, tensor in enumerate(signature.inputs):
            name = _file(place, number)
            if name in named:
                (folder / FOLDER).mkdir(exist_ok=True)
                (folder / FOLDER / name).write_bytes(_content(row[tensor.name]))


def _samples(variant: Variant, signature: Signature, found: Sequence[Row]) -> list[Sample]:
    """Each batch size with a row in turn, as long as all of them together stay below the bound.

    Beyond it Triton makes the numbers up, where the model answers to zeros. A batch of one comes first, then the
    largest that the server prefers to form.
    """
    first = (1, max(variant.preferred_batch_sizes, default=1))
    sizes = _sizes(variant) if signature.batched else [1]
    bytes_of = [sum(len(_content(array)) for array in row.values()) for row in found]
    made, left = [], MOST_BYTES
    for place, batch in enumerate(sorted(sizes, key=lambda size: (size not in first, size))):
        row = place % len(found) if found else None
        if row is not None:
            size = batch * bytes_of[row]
            row, left = (row, left - size) if size <= left else (None, left)
        if row is not None or signature.warm_up:
            made.append(Sample(batch, row))
    return sorted(made, key=lambda sample: sample.batch)


def _sizes(variant: Variant) -> list[int]:
    """One example and the largest batch that the server prefers to form; on a GPU the powers of two as well; or all.

    A GPU's first run of another batch size allocates memory and sets up its engines; on a CPU only time would be lost.
    """
    if variant.warms_up == "all":
        return list(range(1, variant.max_batch_size + 1))
    sizes = {1, max(variant.preferred_batch_sizes, default=1)}
    if variant.device == "gpu":
        sizes |= {2**power for power in range(variant.max_batch_size.bit_length())} | {variant.max_batch_size}
    return sorted(sizes)


def _file(row: int, place: int) -> str:
    """By numbers, as names of inputs are no names of files (`images/x:0`)."""
    return f"row{row}.input{place}"


def _content(array: NDArray[Any]) -> bytes:
    """The bytes of a tensor as Triton takes them: little-endian, and each text after its length."""
    if array.dtype.hasobject:
        return b"".join(struct.pack("<I", len(text)) + text for text in array.ravel())
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
