"""Real requests: examples of a model's inputs from a file, a directory of images, or the sample beside the model."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.utils import triton_to_np_dtype

from command_line.errors import ModelError, UsageError
from example_files import kept, rows
from example_files.errors import ExampleFileError
from example_files.wanted import STRING, Input, Row, Wanted, size_of

from ..results.schema import RequestsSent, Spread

MOST_ROWS = 1000
MOST_BYTES = 32 << 20
"""Of the rows together: each load worker keeps all of them as prepared requests."""
GENERATED = "generated"
"""In place of a path: no examples, not those of the repository either."""


def check_examples(field: str, asked: Path | None) -> Path | None:
    """The path as it was given; UsageError where nothing is there."""
    if asked is not None and str(asked) != GENERATED and not asked.exists():
        raise UsageError(field, str(asked), f"give a file, a directory of images, a repository, or {GENERATED}")
    return asked


def find_examples(model: str, asked: Path | None, repository: Path | None) -> Path | None:
    """Where the rows for a model are: what was asked for, or the sample beside the model; None: they are generated.

    `asked` may be a repository too; UsageError where it has no sample of the model.
    """
    if asked is not None and str(asked) == GENERATED:
        return None
    if asked is None:
        return None if repository is None else _kept(repository / model)
    if not any(asked.glob("*/config.pbtxt")):
        return asked
    found = _kept(asked / model)
    if found is None:
        having = sorted(path.parent.name for path in asked.glob("*/config.pbtxt") if _kept(path.parent))
        allowed = f"give a file; samples lie beside {', '.join(having) or 'no model of it'}"
        raise UsageError("examples", f"{asked}, of {model}", allowed)
    return found


def _kept(model: Path) -> Path | None:
    """The sample of a model's highest version."""
    versions = sorted((folder for folder in model.glob("*/") if folder.name.isdecimal()), key=lambda one: int(one.name))
    return next((folder / kept.FILE for folder in reversed(versions) if (folder / kept.FILE).is_file()), None)


def wanted(metadata: service_pb2.ModelMetadataResponse, config_max_batch: int) -> Wanted:
    """What a served model takes of each example, without the batch."""
    inputs = []
    for tensor in metadata.inputs:
        dtype = triton_to_np_dtype(tensor.datatype)
        if dtype is None:
            raise ModelError(f"inputs of type {tensor.datatype} cannot be sent")
        name = STRING if dtype is np.object_ else np.dtype(dtype).name
        inputs.append(Input(tensor.name, name, tuple(tensor.shape)[1 if config_max_batch > 0 else 0 :]))
    return Wanted(tuple(inputs), batched=config_max_batch > 0)


def read_rows(path: Path, of: Wanted) -> Sequence[Row]:
    """The first examples at `path`, as many as are sent in turn; UsageError names the place that is wrong."""
    taken: list[Row] = []
    size = 0
    try:
        for row in islice(rows.each(path, of), MOST_ROWS):
            size += sum(map(size_of, row.values()))
            if taken and size > MOST_BYTES:
                break
            taken.append(row)
    except ExampleFileError as error:
        raise UsageError("examples", error.found, f"give {error.allowed}") from None
    except ModuleNotFoundError:
        raise UsageError("examples", str(path), "install pillow to read images, or give a file of examples") from None
    return taken


def describe(source: Path, found: Sequence[Row], megabytes: Iterable[float]) -> RequestsSent:
    """What is sent, for the results: how many rows, how large they are, and the sizes of inputs that differ."""
    sizes = {name: [_size(row[name]) for row in found] for name in found[0]}
    return RequestsSent(
        source=str(source),
        rows=len(found),
        megabytes=_spread(megabytes),
        sizes={name: _spread(values) for name, values in sizes.items() if len(set(values)) > 1},
    )


def _size(array: NDArray[Any]) -> int:
    """Bytes of texts, or how many numbers there are."""
    return size_of(array) if array.dtype.hasobject else array.size


def _spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    return Spread(least=ordered[0], median=float(np.median(ordered)), most=ordered[-1])
