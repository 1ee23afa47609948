"""TensorFlow Serving's REST API before the real tritonserver: official examples, and SavedModels run directly."""

import base64
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import urllib3

from .conftest import http_request, python_of, started

HERE = Path(__file__).parent
SIGNALS = [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]]
SENSORS = [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]
# Requests by name: the model, its version, and the inputs in columns.
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "half_plus_two": ("half_plus", "123", {"x": [1.0, 2.0, 5.0]}),
    "half_plus_three": ("half_plus", "124", {"x": [1.0, 2.0, 5.0]}),
    "columns of one": ("half_plus", "124", {"x": [[0.1], [-3e38]]}),
    "more than a batch": ("half_plus", "124", {"x": [float(number) for number in range(11)]}),
    "named": ("named", "1", {"tag": ["foo", "bar"], "signal": SIGNALS, "sensor": SENSORS}),
}


class Served(NamedTuple):
    """Where the REST API and Triton's own protocols are, and what the SavedModels answered when TensorFlow ran them."""

    rest: str
    triton: str
    grpc: str
    answers: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def served(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """tritonserver with the SavedModels, and the front before it."""
    folder = tmp_path_factory.mktemp("front")
    command = [python_of("BUILDER_PYTHON"), str(HERE / "saved_models.py"), str(folder / "models")]
    environment = {"PYTHONPATH": str(HERE.parents[1]), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    given = json.dumps(REQUESTS)
    ran = subprocess.run(
        command, input=given, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    serve = ["serve", str(folder / "models"), "--load=half_plus", "--load=named", f"--server-python={server_python}"]
    with started("slo-tuner", [*serve, f"--log={folder / 'log'}"], until="models:", deadline_s=180) as (_, printed):
        addresses = re.search(r"gRPC (\S+), HTTP (\S+),", printed)
        assert addresses, printed
        front = ["--host=127.0.0.1", "--port=0", f"--triton={addresses[1]}", "--max-request-megabytes=1"]
        with started("tfserving-front", front, until="REST on") as (_, said):
            rest = re.search(r"REST on (\S+)", said)
            assert rest, said
            yield Served(f"http://{rest[1]}", f"http://{addresses[2]}", addresses[1], json.loads(ran.stdout))


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    """The status and the JSON of an answer; a body makes it a POST."""
    if body is None:
        answer = urllib3.request("GET", url, timeout=20)
    else:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = urllib3.request("POST", url, body=text, timeout=20)
    assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(answer.data)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("/versions/123", [2.5, 3.0, 4.5]), ("/versions/124", [3.5, 4.0, 5.5]), ("", [3.5, 4.0, 5.5])],
)
def test_the_official_examples_are_answered_as_documented(served: Served, version: str, expected: list[float]) -> None:
    url = f"{served.rest}/v1/models/half_plus{version}:predict"
    assert ask(url, {"instances": [1.0, 2.0, 5.0]}) == (200, {"predictions": expected})
    assert ask(url, {"inputs": [1.0, 2.0, 5.0]}) == (200, {"outputs": expected})


@pytest.mark.parametrize("name", [name for name, (model, _, _) in REQUESTS.items() if model == "half_plus"])
def test_columns_are_answered_as_the_savedmodel_answers(served: Served, name: str) -> None:
    model, version, inputs = REQUESTS[name]
    status, answer = ask(f"{served.rest}/v1/models/{model}/versions/{version}:predict", {"inputs": inputs})
    assert status == 200
    np.testing.assert_array_equal(np.float32(answer["outputs"]), np.float32(served.answers[name]["y"]))


def test_several_outputs_have_their_names(served: Served) -> None:
    status, answer = ask(f"{served.rest}/v1/models/named:predict", {"inputs": REQUESTS["named"][2]})
    expected = served.answers["named"]
    assert (status, answer["outputs"]["total"]) == (200, expected["total"])
    tags = [base64.b64decode(tag["b64"]).decode() for tag in answer["outputs"]["tag_bytes"]]
    assert tags == expected["tag_bytes"] == ["foofoo", "barbar"]


def test_rows_are_answered_as_the_savedmodel_answers(served: Served) -> None:
    columns = REQUESTS["named"][2]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    status, answer = ask(f"{served.rest}/v1/models/named:predict", {"instances": rows})
    assert status == 200
    assert [row["total"] for row in answer["predictions"]] == served.answers["named"]["total"]
    assert answer["predictions"][0]["tag_bytes"] == {"b64": "Zm9vZm9v"}


def test_binary_values_come_in_base64(served: Served) -> None:
    row = {"tag": {"b64": "/w=="}, "signal": SIGNALS[0], "sensor": SENSORS[0]}
    status, answer = ask(f"{served.rest}/v1/models/named:predict", {"instances": [row]})
    assert (status, answer["predictions"][0]["tag_bytes"]) == (200, {"b64": "//8="})


def test_the_status_of_a_model_is_that_of_its_versions(served: Served) -> None:
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    both = [{"version": "124", **available}, {"version": "123", **available}]
    assert ask(f"{served.rest}/v1/models/half_plus") == (200, {"model_version_status": both})
    assert ask(f"{served.rest}/v1/models/half_plus/versions/123") == (200, {"model_version_status": both[1:]})


@pytest.mark.parametrize(("version", "number"), [("", "124"), ("/versions/123", "123")])
def test_metadata_name_the_version_and_the_inputs(served: Served, version: str, number: str) -> None:
    status, document = ask(f"{served.rest}/v1/models/half_plus{version}/metadata")
    assert (status, document["model_spec"]["version"]) == (200, number)
    definition = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert [dim["size"] for dim in definition["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "1"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        # As the documentation shows it, for a model that is not there.
        ("half:predict", {"instances": [1.0, 5.0]}, 404, "Servable not found for request: Latest(half)"),
        (
            "half_plus/versions/7:predict",
            {"inputs": [1]},
            404,
            "Servable not found for request: Specific(half_plus, 7)",
        ),
        ("half", None, 404, "Could not find any versions of model half"),
        ("half_plus/versions/7", None, 404, "Could not find version 7 of model half_plus"),
        ("half/metadata", None, 404, "Servable not found for request: Latest(half)"),
        ("half_plus:predict", {"instances": ["a"]}, 400, 'JSON Value: "a" Type: String is not of expected type: float'),
        ("half_plus:predict", {"instances": [[1, 2]]}, 400, "unexpected shape for input 'x'"),
        ("half_plus:predict", {"inputs": [1], "signature_name": "x"}, 400, 'Serving signature name: "x" not found'),
        ("half_plus:predict", b"", 400, "JSON Parse error"),
        ("half_plus:predict", b"[" * 1_000_001, 413, "more than the 1000000 allowed"),
        ("half_plus:predict", None, 400, "Malformed request: GET /v1/models/half_plus:predict"),
        ("half_plus:classify", {}, 501, "classify needs"),
        ("half_plus:explain", {}, 400, "Malformed request: POST"),
        ("half_plus/labels/stable:predict", {}, 400, "Malformed request: POST"),
    ],
    ids=range(14),
)
def test_errors_have_tensorflow_serving_s_form(served: Served, path: str, body: Any, status: int, message: str) -> None:
    answered, document = ask(f"{served.rest}/v1/models/{path}", body)
    assert (answered, list(document)) == (status, ["error"])
    assert message in document["error"]


def test_a_model_that_was_unloaded_is_not_found_until_it_is_loaded_again(served: Served) -> None:
    control, metadata = f"{served.triton}/v2/repository/models/named", f"{served.rest}/v1/models/named/metadata"
    assert http_request("POST", f"{control}/unload", timeout=20).status == 200
    try:
        assert ask(metadata)[0] == 404
    finally:
        assert http_request("POST", f"{control}/load", timeout=60).status == 200
    assert ask(metadata)[0] == 200


def test_the_front_is_ready_when_triton_is(served: Served) -> None:
    assert ask(f"{served.rest}/v2/health/ready") == (200, {})
    with started("tfserving-front", ["--host=127.0.0.1", "--port=0", "--triton=127.0.0.1:1"], "REST on") as (_, said):
        alone = "http://" + said.split()[2]
        assert ask(f"{alone}/v2/health/live")[0] == 200
        assert ask(f"{alone}/v2/health/ready") == (503, {"error": "Triton is not ready"})
        assert ask(f"{alone}/v1/models/half_plus:predict", {"instances": [1]})[0] == 503


def test_a_request_in_flight_is_answered_after_sigterm(served: Served) -> None:
    body = b'{"instances": [1.0]}'
    head = f"POST /v1/models/half_plus:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    arguments = ["--host=127.0.0.1", "--port=0", f"--triton={served.grpc}"]
    with started("tfserving-front", arguments, "REST on") as (child, said):
        host, port = said.split()[2].split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")  # the request is being read
            child.process.send_signal(signal.SIGTERM)
            assert _refuses(host, int(port))
            connection.sendall(body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'{"predictions":[3.5]}')
        assert child.process.wait(20) == -signal.SIGTERM


def _refuses(host: str, port: int, deadline_s: float = 20.0) -> bool:
    """Whether the port is closed before the deadline; asked seldom, or the queue of a busy server overflows."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            continue
        time.sleep(0.05)
    return False
