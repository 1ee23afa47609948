"""Base64 is taken as Abseil's Base64Unescape takes it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfserving_front.abseil_base64 import decode


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("", b""),
        (" \n", b""),
        ("YWI=", b"ab"),
        ("YWI", b"ab"),
        ("YWI.", b"ab"),
        ("YQ==", b"a"),
        ("YQ.=", b"a"),
        ("YQ", b"a"),
        ("YW\r\nJj\n", b"abc"),
        ("Y W\tJ\vj\f", b"abc"),
        ("YQ = =", b"a"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("YR==", b"a"),  # bits beyond the last byte are not looked at
    ],
)
def test_white_space_and_padding_do_not_matter(text: str, decoded: bytes) -> None:
    assert decode(text) == decoded


@pytest.mark.parametrize(
    "text", ["Y", "YWJjY", "YQ=", "YWI==", "YWJj=", "=", "YQ=a", "YQ==YQ==", "-_-_", "YQ\0=", "YÄ", "YQ\u00a0", "*"]
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


@given(st.binary(), st.lists(st.tuples(st.integers(0), st.sampled_from(" \t\n\r\v\f"))), st.integers(0, 2))
def test_what_was_encoded_is_decoded(data: bytes, spaces: list[tuple[int, str]], padding: int) -> None:
    text = base64.b64encode(data).decode()
    text = [text, text.rstrip("="), text.replace("=", ".")][padding]
    for place, space in spaces:
        at = place % (len(text) + 1)
        text = text[:at] + space + text[at:]
    assert decode(text) == data
