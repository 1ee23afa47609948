"""The header blocks of HTTP/2 (HPACK, RFC 7541) as far as a gRPC client without a dynamic table needs them.

The client announces a dynamic table of no bytes, so a block means the same wherever it comes: like blocks are decoded
once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from command_line.errors import SloTunerError

# Static table (RFC 7541, appendix A): the names that a request uses, and the values of :status from index 8 on.
_AUTHORITY, _PATH, _CONTENT_TYPE, _USER_AGENT, _STATUS = 1, 4, 31, 58, 8
_POST, _HTTP, _HTTPS = b"\x83", b"\x86", b"\x87"
_STATUS_VALUES = (200, 204, 206, 304, 400, 404, 500)
_LAST_STATIC = 61

# The lengths in bits of the Huffman codes of the bytes 0 to 255 and of the end (RFC 7541, appendix B), as runs of
# bytes: the code is canonical, so they say all of it.
_LENGTHS = (
    "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 8 7 8 "
    "13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2 22*3 23 22 23*5 24 23 24*2 "
    "22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 "
    "22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 "
    "23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5 26 30"
)
_END = 256


class HeaderBlockError(SloTunerError):
    """A header block that breaks the rules, or uses a table that it was told not to."""


@dataclass(frozen=True)
class Answer:
    """What a block says of an answer; 0 and -1 where it does not say the status of HTTP or of gRPC."""

    http_status: int = 0
    grpc_status: int = -1
    message: str = ""


def request_block(
    path: str, authority: str, timeout_s: float, fields: Sequence[tuple[str, str]] = (), tls: bool = False
) -> bytes:
    """The headers of a gRPC request with this time-out, none of them Huffman coded or added to a table.

    `fields` are further ones, names in lower case; they never are in a table of anybody on the way, either.
    """
    return b"".join(
        (
            _POST,
            _HTTPS if tls else _HTTP,
            _indexed_name(_PATH, path),
            _indexed_name(_AUTHORITY, authority),
            _new_name("te", "trailers"),
            _indexed_name(_CONTENT_TYPE, "application/grpc"),
            _indexed_name(_USER_AGENT, "slo-tuner"),
            _new_name("grpc-timeout", _timeout(timeout_s)),
            *(_never_indexed(name, value) for name, value in fields),
        )
    )


@lru_cache(maxsize=1024)
def read_answer(block: bytes) -> Answer:
    """What a block of an answer says; HeaderBlockError when it can't be read."""
    found = dict(_fields(block))
    try:
        return Answer(
            http_status=int(found.get(":status", "0")),
            grpc_status=int(found.get("grpc-status", "-1")),
            message=unquote(found.get("grpc-message", "")),
        )
    except ValueError:
        raise HeaderBlockError(f"a status that is no number: {found}") from None


def _timeout(seconds: float) -> str:
    """As gRPC writes time-outs: at most eight digits."""
    ms = max(1, round(seconds * 1000))
    return f"{ms}m" if ms < 10**8 else f"{ms // 1000}S"


def _indexed_name(index: int, value: str) -> bytes:
    return _integer(index, 4) + _text(value)


def _new_name(name: str, value: str) -> bytes:
    return b"\x00" + _text(name) + _text(value)


def _never_indexed(name: str, value: str) -> bytes:
    """A field that nobody on the way may add to a table, from which its value could be guessed (RFC 7541, 7.1.3)."""
    return b"\x10" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    raw = value.encode()
    return _integer(len(raw), 7) + raw


def _integer(value: int, bits: int) -> bytes:
    """An integer with a prefix of so many bits (RFC 7541, section 5.1), whose other bits are 0."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((value,))
    coded = [most]
    value -= most
    while value >= 128:
        coded.append(value % 128 + 128)
        value //= 128
    return bytes((*coded, value))


def _fields(block: bytes) -> Iterator[tuple[str, str]]:
    """Names and values in their order; of fields that only a number names, those of :status."""
    position = 0
    try:
        while position < len(block):
            first = block[position]
            if first & 0x80:
                index, position = _read_integer(block, position, 7)
                if not 0 < index <= _LAST_STATIC:
                    raise HeaderBlockError(f"it names entry {index} of a table that has {_LAST_STATIC}")
                if _STATUS <= index < _STATUS + len(_STATUS_VALUES):
                    yield ":status", str(_STATUS_VALUES[index - _STATUS])
            elif first & 0xE0 == 0x20:
                _, position = _read_integer(block, position, 5)
            else:
                index, position = _read_integer(block, position, 6 if first & 0x40 else 4)
                name = ":status" if _STATUS <= index < _STATUS + len(_STATUS_VALUES) else ""
                if index > _LAST_STATIC:
                    raise HeaderBlockError(f"it names entry {index} of a table that has {_LAST_STATIC}")
                if index == 0:
                    name, position = _read_text(block, position)
                value, position = _read_text(block, position)
                yield name, value
    except IndexError:
        raise HeaderBlockError("it ends in the middle of a field") from None


def _read_integer(block: bytes, position: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value, position, shift = block[position] & most, position + 1, 0
    if value < most:
        return value, position
    while True:
        byte = block[position]
        value, position, shift = value + ((byte & 127) << shift), position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 28:
            raise HeaderBlockError("a number that is too long")


def _read_text(block: bytes, position: int) -> tuple[str, int]:
    coded = block[position] & 0x80
    length, position = _read_integer(block, position, 7)
    raw = block[position : position + length]
    if len(raw) < length:
        raise HeaderBlockError("it ends in the middle of a field")
    return (_unpacked(raw) if coded else raw).decode("utf-8", "replace"), position + length


def _codes() -> dict[tuple[int, int], int]:
    """The symbol of each Huffman code, by its length in bits and its value."""
    lengths: list[int] = []
    for run in _LENGTHS.split():
        length, _, times = run.partition("*")
        lengths += [int(length)] * int(times or 1)
    codes, code, before = {}, 0, 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(lengths)):
        code <<= bits - before
        codes[bits, code] = symbol
        code, before = code + 1, bits
    return codes


_CODES = _codes()


def _unpacked(raw: bytes) -> bytes:
    """Huffman coded bytes as they were; what is left of the last one are bits of value 1, fewer than eight."""
    found, code, bits = bytearray(), 0, 0
    for byte in raw:
        for shift in range(7, -1, -1):
            code, bits = code << 1 | byte >> shift & 1, bits + 1
            symbol = _CODES.get((bits, code))
            if symbol == _END or bits > 30:
                raise HeaderBlockError("a text that is not Huffman coded")
            if symbol is not None:
                found.append(symbol)
                code, bits = 0, 0
    if bits > 7 or code != (1 << bits) - 1:
        raise HeaderBlockError("a text that is not Huffman coded")
    return bytes(found)
