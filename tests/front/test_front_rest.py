"""Paths and failures have TensorFlow Serving's form, and say nothing about the server's files."""

import asyncio
from typing import Any

import pytest
from asgi import Client, Reply, client

from tfserving_front.errors import for_clients
from tfserving_front.limits import Limits

ONE_ROW = {"instances": [1.0]}
STACK = "message: ValueError: bad\n\nAt:\n  /models/one/1/model.py(8): one\n  /models/one/1/model.py(6): execute"


def asked(path: str, body: Any = None, method: str = "", failure: str = "") -> Reply:
    """The answer to one request."""

    async def run() -> Reply:
        async with client(Limits()) as one:
            one.triton.failure = failure
            return await one.ask(path, body, method=method)

    return asyncio.run(run())


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("version", ["", "/versions/1", "/versions/0000000000000000000000000000001"])
@pytest.mark.parametrize("what", [":predict", "/metadata", ""])
def test_a_slash_at_the_end_and_zeros_before_a_version_change_nothing(what: str, version: str, end: str) -> None:
    reply = asked(f"/v1/models/one{version}{what}{end}", ONE_ROW if what == ":predict" else None)
    assert reply.status == 200
    assert {"predictions", "metadata", "model_version_status"} & set(reply.json)


@pytest.mark.parametrize("digits", ["9223372036854775808", "9" * 30, "1" * 5000], ids=len)
@pytest.mark.parametrize("what", [":predict", "/metadata", ""])
def test_a_version_that_no_server_can_have_is_a_bad_request(what: str, digits: str) -> None:
    reply = asked(f"/v1/models/one/versions/{digits}{what}", ONE_ROW if what == ":predict" else None)
    assert reply.status == 400
    assert reply.json["error"].startswith("Failed to convert version: ") and len(reply.body) < 200


def test_the_largest_version_is_looked_for() -> None:
    assert asked(f"/v1/models/one/versions/{2**63 - 1}").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/one:classify", 501),
        ("POST", "/v1/models/one:regress/", 501),
        ("POST", "/v1/models/one:explain", 400),
        ("PUT", "/v1/models/one:predict", 400),
        ("GET", "/v1/models/one//", 400),
        ("GET", "/v1/models/one/versions/x", 400),
        ("GET", "/v1/models/one/versions/٣", 400),
        ("GET", "/v1/models/a/b", 400),
        ("GET", "/v1/models/\ud800", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(method: str, path: str, status: int) -> None:
    reply = asked(path, method=method)
    assert (reply.status, list(reply.json)) == (status, ["error"])


def test_a_model_that_fails_tells_clients_why_but_not_where(caplog: pytest.LogCaptureFixture) -> None:
    reply = asked("/v1/models/failing:predict", ONE_ROW, failure=STACK)
    assert (reply.status, reply.json) == (500, {"error": "message: ValueError: bad"})
    assert "/models/one/1/model.py(8)" in caplog.text


def test_a_version_that_did_not_load_tells_clients_why_but_not_where() -> None:
    reply = asked("/v1/models/one", failure="failed to open '/srv/models/one/2/model.onnx' for reading")
    failed = reply.json["model_version_status"][0]
    assert failed["status"]["error_message"] == "at failed to open 'model.onnx' for reading"


def test_an_answer_that_does_not_fill_its_shape_is_the_server_s_failure() -> None:
    reply = asked("/v1/models/weak:predict", ONE_ROW)
    assert (reply.status, reply.json) == (500, {"error": "Output y has 4 bytes, which do not fill [3, 1]"})


def test_a_failure_of_the_front_itself_tells_clients_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> Reply:
        async with client(Limits()) as one:
            replies = []

            async def broken(*_: Any) -> Any:
                raise OSError("/etc/front/secret")

            monkeypatch.setattr(one.front.triton, "signature", broken)
            with pytest.raises(OSError, match="secret"):  # goes on to uvicorn, which logs it
                replies.append(await _keeping(one, replies))
            return replies[0]

    assert asyncio.run(run()).json == {"error": "The front failed; its log says how"}


async def _keeping(one: Client, replies: list[Reply]) -> Reply:
    """Ask, and keep the answer that was sent before the failure went on."""
    app = one.app

    async def kept(scope: Any, receive: Any, send: Any) -> None:
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)
            if len(sent) == 2:
                replies.append(Reply(sent[0]["status"], {}, sent[1]["body"], 1))

        await app(scope, receive, keep)

    return await Client.ask(_With(one, kept), "/v1/models/one:predict", ONE_ROW)


class _With(Client):
    def __init__(self, one: Client, app: Any) -> None:
        self.app, self.triton, self.front = app, one.triton, one.front


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("failed to load '/a/b c/d.onnx': no such file", "failed to load 'b c/d.onnx': no such file"),
        ("unable to read s3://bucket/models/x/config.pbtxt", "unable to read config.pbtxt"),
        ("poll /models failed", "poll models failed"),
        ("expected [-1,3], got [2,4] at 7/8 and/or 1 / 2", "expected [-1,3], got [2,4] at 7/8 and/or 1 / 2"),
        ('x Traceback (most recent call last):\n  File "/a/b.py"', "x"),
        ("look At: noon", "look"),
    ],
)
def test_messages_for_clients_have_no_folders_and_no_stack(message: str, shown: str) -> None:
    assert for_clients(message) == shown
