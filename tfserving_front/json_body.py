"""The JSON of a request, with what strict JSON lacks: NaN, Inf and Infinity, as RapidJSON reads them."""

import json
import re
from math import isinf
from typing import Any

import orjson

from .errors import BadRequestError

# A string, to step over it, or a word that Python's parser does not know. A string without an end is one match too:
# trying again from each of its quotes would take the square of its length.
_WORD = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-NaN|Inf(?:inity)?', re.DOTALL)
_SPELLED = {"-NaN": "NaN", "Inf": "Infinity"}
_SHOWN = 256
# Some editors begin a file with it; RapidJSON steps over it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; BadRequestError when it is none.

    orjson is three times faster than Python's own parser, which knows NaN and Infinity: the second try.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            parsed = json.loads(_as_python(body.decode("utf-8")), parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise BadRequestError(f"JSON Parse error: {str(error)[:_SHOWN]}") from None
    if not isinstance(parsed, dict):
        raise BadRequestError("JSON Value: the request is not an object")
    return parsed


def _as_python(text: str) -> str:
    if "Inf" not in text and "-NaN" not in text:
        return text
    return _WORD.sub(lambda found: _SPELLED.get(found[0], found[0]), text)


def _finite(written: str) -> float:
    """A number as it is written; Infinity has a word of its own."""
    value = float(written)
    if isinf(value):
        raise ValueError(f"Number too big to be stored in double: {written[:_SHOWN]}")
    return value
