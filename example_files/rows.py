"""Examples from a file of any kind that is known: which kind it is, its content says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from example_files import image_folder, json_file, npz_file, tf_messages, tf_record
from example_files.errors import ExampleFileError
from example_files.wanted import Row, Wanted

ALLOWED = (
    ".npz, JSONL of TensorFlow Serving instances, perf_analyzer's JSON, a TFRecord of tf.Example or of "
    "TensorFlow Serving's logged requests"
)
# What tells the kinds apart without reading the file: enough for a first line of some length.
START = 4096

Reader = Callable[[Path, Wanted], Iterator[Row]]


def read(path: Path, wanted: Wanted, count: int, skip: int = 0) -> list[Row]:
    """`count` examples after the first `skip`, in the file's order; of a file that ends before, the last that it has.

    Only so much of the file is read. ExampleFileError where it is of no known kind, or holds no example of the inputs.
    """
    found = list(islice(each(path, wanted), skip + count))
    return found[skip:] or found[-count:]


def each(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Every example of a file or of a directory of images, in order; ExampleFileError where there is none."""
    found = image_folder.each(path, wanted) if path.is_dir() else reader(path)(path, wanted)
    first = next(found, None)
    if first is None:
        raise ExampleFileError(str(path), "no example", f"at least one with the inputs {wanted.names}")
    yield first
    yield from found


def reader(path: Path) -> Reader:
    """What reads this file; ExampleFileError where it can't be read, or is of no known kind."""
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError as error:
        raise ExampleFileError(str(path), error.strerror or error, ALLOWED) from None
    if not start:
        raise ExampleFileError(str(path), "an empty file", ALLOWED)
    if start.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        return npz_file.rows
    if start.startswith(b"\x1f\x8b"):
        start = _unzipped(path)
    if tf_record.starts_like_one(start):
        return _records
    if b"\0" in start or not start.strip():
        raise ExampleFileError(str(path), "no known kind of file", ALLOWED)
    return json_file.rows


def _records(path: Path, wanted: Wanted) -> Iterator[Row]:
    for number, data in enumerate(tf_record.records(path), 1):
        yield from tf_messages.rows(data, wanted, f"{path}, record {number}")


def _unzipped(path: Path) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            return file.read(START)
    except (OSError, EOFError, zlib.error):
        raise ExampleFileError(str(path), "a broken gzip file", ALLOWED) from None
