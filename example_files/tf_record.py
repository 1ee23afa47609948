"""TFRecord files: a sequence of byte strings, each with its length and checksums; gzip or not.

A record is its length (uint64), the masked CRC-32C of the length, the data, and the masked CRC-32C of the data, all
little-endian (tensorflow/core/lib/io/record_writer.h). The checksum of the length is compared: it tells a TFRecord from
any other file. That of the data is not: in Python it would take longer than all the rest.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from example_files.errors import ExampleFileError

ALLOWED = "a TFRecord file, as tf.io.TFRecordWriter writes it, plain or GZIP"
LARGEST = 1 << 30
"""Bytes of one record: a message of protocol buffers ends at 2 GiB."""


def records(path: Path) -> Iterator[bytes]:
    """The records in their order; ExampleFileError names the record where the file is broken or ends early."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            yield from _records(file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ExampleFileError(str(path), "a broken gzip file", ALLOWED) from None


def starts_like_one(start: bytes) -> bool:
    """Whether the first 12 bytes of a file are those of a TFRecord."""
    return len(start) >= 12 and masked_crc32c(start[:8]) == struct.unpack("<I", start[8:12])[0]


def record(data: bytes) -> bytes:
    """A record of these bytes."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def _records(file: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[bytes]:
    number = 0
    while head := file.read(12):
        number += 1
        where = f"{path}, record {number}"
        if not starts_like_one(head):
            raise ExampleFileError(where, "its length and the checksum of that differ", ALLOWED)
        (length,) = struct.unpack("<Q", head[:8])
        if length > LARGEST:
            raise ExampleFileError(where, f"{length} bytes", f"at most {LARGEST}")
        data = file.read(length + 4)
        if len(data) < length + 4:
            raise ExampleFileError(where, f"it ends after {len(data)} of {length + 4} bytes", ALLOWED)
        yield data[:length]


def masked_crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli, RFC 3720 appendix B.4), rotated and shifted as TFRecord stores it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()
