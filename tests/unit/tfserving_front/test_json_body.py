"""A request's JSON is read as RapidJSON reads it; what is none is refused in time that grows with its length alone."""

import time

import pytest

from tfserving_front.errors import RestError
from tfserving_front.json_body import parse_body


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"inputs": [1}', b"[" * 100_000, b"Inf", b"1" * 5000], ids=range(7)
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RestError, match=r"JSON Parse error|not an object") as refused:
        parse_body(body)
    assert refused.value.status == 400 and len(refused.value.message) < 300


@pytest.mark.parametrize("written", [b"1e400", b"-1e400", b"NaN, 1e309", b"9" * 400 + b".5"], ids=range(4))
def test_a_number_beyond_a_double_is_refused_and_not_infinite(written: bytes) -> None:
    with pytest.raises(RestError, match=r"JSON Parse error: Number too big to be stored in double"):
        parse_body(b'{"instances": [' + written + b"]}")


def test_a_byte_order_mark_is_stepped_over() -> None:
    assert parse_body(b'\xef\xbb\xbf{"instances": [1]}') == {"instances": [1]}
    with pytest.raises(RestError, match="JSON Parse error"):
        parse_body(b'\xef\xbb\xbf\xef\xbb\xbf{"instances": [1]}')


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"NaN", "nan"),
        (b"-NaN", "nan"),
        (b"Inf", "inf"),
        (b"-Inf", "-inf"),
        (b"Infinity", "inf"),
        (b"-Infinity", "-inf"),
        (b'NaN, "Inf -NaN \\" Inf"', "nan, 'Inf -NaN \" Inf'"),
        (b'NaN, {"b64": "Inf="}', "nan, {'b64': 'Inf='}"),
    ],
)
def test_words_that_strict_json_lacks_are_numbers_outside_of_strings(written: bytes, read: str) -> None:
    assert str(parse_body(b'{"inputs": [' + written + b"]}")) == "{'inputs': [" + read + "]}"


@pytest.mark.parametrize("word", [b"Infi", b"inf", b"+Inf", b"nan", b"--Inf", b"-", b"InfInf", b"- Inf"])
def test_other_words_are_no_numbers(word: bytes) -> None:
    with pytest.raises(RestError, match="JSON Parse error"):
        parse_body(b'{"inputs": [' + word + b"]}")


@pytest.mark.parametrize("unit", [b'\\"', b'"', b'"\\', b"Inf,", b"-NaN", b'""'], ids=range(6))
def test_the_time_for_what_is_no_json_grows_with_its_length(unit: bytes) -> None:
    began = time.process_time()
    with pytest.raises(RestError):
        parse_body(b'{"Inf": "' + unit * 300_000)
    assert time.process_time() - began < 5  # the square of this length would take hours
