"""Whatever path, headers and body a request has: its answer has a known status and is JSON, and nothing stays held."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgi import Client, client
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfserving_front.budget import Budget
from tfserving_front.limits import Limits

STATUSES = {200, 400, 404, 405, 408, 413, 415, 501, 503}
NAMES = st.sampled_from(["one", "open", "text", "nothing", "x\0y", "é", "%2e", " "])
NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([10**400, 2**64, -(2**63) - 1, 0.1, 300]))
BASE64 = st.fixed_dictionaries({"b64": st.text(max_size=8)})
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), BASE64)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)


VALUES = st.recursive(LEAVES, _nested, max_leaves=12)
ROWS = st.lists(NUMBERS, max_size=9) | st.lists(st.text(max_size=5), max_size=9) | VALUES
REQUESTS = st.one_of(
    st.fixed_dictionaries({"instances": ROWS}),
    st.fixed_dictionaries({"inputs": ROWS}),
    st.fixed_dictionaries({"inputs": st.fixed_dictionaries({"x": ROWS})}),
    st.fixed_dictionaries({"instances": st.lists(st.fixed_dictionaries({"s": VALUES}), max_size=3)}),
    st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name", "x"]), VALUES),
    VALUES,
)
JSON = REQUESTS.map(lambda value: json.dumps(value).encode())


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A request with something else in the midst of it."""
    text, at = draw(JSON), draw(st.integers(0, 200))
    return text[:at] + draw(st.binary(max_size=3)) + text[at:]


@st.composite
def deep(draw: st.DrawFn) -> bytes:
    """Lists in lists, or objects in objects."""
    return draw(st.sampled_from([b"[", b'{"a":', b'{"instances":['])) * draw(st.integers(1, 3000))


BODIES = st.one_of(JSON, broken(), deep(), st.binary(max_size=50), JSON.map(gzip.compress))
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just(b"content-encoding"), st.sampled_from([b"gzip", b"GZIP ", b"identity", b"br", b"", b"\xff"])),
        st.tuples(st.just(b"content-type"), st.binary(max_size=10)),
        st.tuples(st.just(b"content-length"), st.sampled_from([b"0", b"5", b"-1", b"\xb2", b"9" * 5000, b"99999999"])),
        st.tuples(st.just(b"expect"), st.just(b"100-continue")),
        st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=8)),
    ),
    max_size=3,
)
VERSIONS = st.just("") | (st.integers(0) | st.text(max_size=5)).map("/versions/{}".format)
ENDS = st.sampled_from([":predict", ":predict/", ":classify", "/metadata", "", "/", ":", "::predict"])
MODEL_PATHS = st.tuples(st.just("/v1/models/"), NAMES, VERSIONS, ENDS).map("".join)
DIRECT = st.sampled_from(["/v1/models/one:predict", "/v1/models/text:predict", "/v1/models/open:predict"])
PATHS = DIRECT | MODEL_PATHS | st.text(max_size=20).map("/{}".format)
METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "X"])
LISTS, OBJECTS = b"[" * 500 + b"]" * 500, b'{"a":' * 900 + b"1" + b"}" * 900


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[asyncio.Runner, Client]]:
    """One front for all requests, and the event loop that it lives in."""
    with asyncio.Runner() as runner:
        made = client(Limits(request_bytes=100_000, answer_bytes=100_000))
        yield runner, runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


@settings(max_examples=300)
@given(path=PATHS, headers=HEADERS, body=BODIES, method=METHODS)
@example(path="/v1/models/one:predict", headers=[], body=b'{"instances":' + LISTS + b"}", method="POST")
@example(path="/v1/models/text:predict", headers=[], body=b'{"instances":[' + OBJECTS + b"]}", method="POST")
@example(path="/v1/models/one:predict", headers=[(b"content-length", b"\xb2")], body=b"{}", method="POST")
@example(path="/v1/models/one/versions/" + "9" * 5000, headers=[], body=b"", method="GET")
def test_every_request_has_an_answer(
    front: tuple[asyncio.Runner, Client], path: str, headers: list[tuple[bytes, bytes]], body: bytes, method: str
) -> None:
    runner, one = front
    reply = runner.run(one.ask(path, body, headers, method))
    assert reply.status in STATUSES, reply
    assert reply.headers["content-type"] == "application/json"
    answer = json.loads(reply.body)
    assert reply.status == 200 or (list(answer) == ["error"] and len(reply.body) < 20_000)
    budgets = [value for value in vars(one.front).values() if isinstance(value, Budget)]
    assert len(budgets) == 4 and not any(budget.is_held for budget in budgets)
