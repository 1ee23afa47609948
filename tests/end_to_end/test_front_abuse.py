"""The REST front before the real tritonserver, and clients that mean no good, or simply ask for much."""

import gzip
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import ROOT, started
from .front_models import write_models

pytestmark = pytest.mark.measures

# A probe of the chart may take so long, and a busy machine is slow.
PROBE_S = 5.0


class Front(NamedTuple):
    """Where the front listens, and its process."""

    address: str
    pid: int

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        method = "GET" if body is None else "POST"
        url = f"http://{self.address}{path}"
        answer = urllib3.request(method, url, body=data, headers=headers, timeout=60, retries=False)
        return answer.status, json.loads(answer.data)

    def predict(self, model: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """The status and the JSON of a prediction."""
        return self.ask(f"/v1/models/{model}:predict", body, headers)

    def raw(self, model: str, body: bytes) -> tuple[int, bytes]:
        """The status and the text of a prediction."""
        answer = urllib3.request("POST", f"http://{self.address}/v1/models/{model}:predict", body=body, timeout=60)
        return answer.status, answer.data

    def memory_mb(self) -> float:
        """The memory of the process now."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20


@pytest.fixture(scope="module")
def triton(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """tritonserver with the models; its address."""
    folder = tmp_path_factory.mktemp("abuse")
    models = [f"--load={name}" for name in write_models(folder / "models")]
    serve = ["serve", str(folder / "models"), *models, f"--server-python={server_python}", f"--log={folder / 'log'}"]
    with started("slo-tuner", serve, until="models:", deadline_s=120) as (_, printed):
        address = re.search(r"gRPC (\S+),", printed)
        assert address, printed
        yield address[1]


@contextmanager
def front_of(triton: str, *options: str, host: str = "127.0.0.1") -> Iterator[Front]:
    """A front before this server."""
    arguments = [f"--host={host}", "--port=0", f"--triton={triton}", *options]
    with started("tfserving-front", arguments, "REST on") as (child, said):
        yield Front(said.split()[2], child.process.pid)


@pytest.fixture(scope="module")
def front(triton: str) -> Iterator[Front]:
    """The front with its defaults."""
    with front_of(triton) as one:
        yield one


@contextmanager
def watched(front: Front) -> Iterator[dict[str, float]]:
    """The slowest probe of liveness, and the most memory in MiB, while this lasts."""
    seen, end = {"slowest_s": 0.0, "most_mb": 0.0}, threading.Event()

    def watch() -> None:
        while not end.wait(0.02):
            began = time.monotonic()
            status = front.ask("/v2/health/live")[0]
            assert status == 200
            seen["slowest_s"] = max(seen["slowest_s"], time.monotonic() - began)
            seen["most_mb"] = max(seen["most_mb"], front.memory_mb())

    with ThreadPoolExecutor(1) as thread:
        watching = thread.submit(watch)
        try:
            yield seen
        finally:
            end.set()
            watching.result()


def test_a_large_answer_takes_no_more_memory_than_its_tensors_and_blocks_no_probe(front: Front) -> None:
    before = front.memory_mb()
    with watched(front) as seen, ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: front.raw("segments", b'{"instances": [1.0]}'), range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert json.loads(answers[0][1])["predictions"][0][511][511] == [0.1] * 21
    # Two of 22 MB at a time, each twice for a moment; one whole answer as text and numbers would take 800.
    assert seen["most_mb"] - before < 300
    assert seen["slowest_s"] < PROBE_S


def test_an_answer_beyond_the_limit_is_refused(front: Front) -> None:
    status, answer = front.predict("segments", {"instances": [1.0, 2.0, 3.0]})
    assert (status, "66060288 bytes of tensors, more than the 32000000 allowed" in answer["error"]) == (400, True)


def test_large_bodies_take_bounded_memory_and_block_no_probe(triton: str) -> None:
    body = b'{"instances": [' + b"[]," * 1_300_000 + b"[]]}"
    with front_of(triton, "--max-request-megabytes=4") as front:
        before = front.memory_mb()
        with watched(front) as seen, ThreadPoolExecutor(12) as clients:
            answers = list(clients.map(lambda _: front.predict("half", body), range(12)))
        assert {status for status, _ in answers} <= {400, 503}
        # One at a time becomes lists (110 MB); all at once they would be 1.3 GB.
        assert seen["most_mb"] - before < 450
        assert seen["slowest_s"] < PROBE_S


def test_bodies_that_never_come_hold_up_nobody(front: Front) -> None:
    head = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"
    host, port = front.address.split(":")
    held = [socket.create_connection((host, int(port)), timeout=60) for _ in range(64)]
    try:
        for connection in held:
            connection.sendall(head)
        began = time.monotonic()
        assert front.predict("half", {"instances": [1.0]}) == (200, {"predictions": [0.5]})
        assert front.ask("/v2/health/ready") == (200, {})
        assert time.monotonic() - began < PROBE_S
    finally:
        for connection in held:
            connection.close()


def test_a_batch_beyond_the_model_s_queue_is_answered(front: Front) -> None:
    rows = [float(row) for row in range(32)]
    assert front.predict("queued", {"instances": rows}) == (200, {"predictions": rows})


def test_a_model_that_fails_says_why_and_not_where(front: Front) -> None:
    status, answer = front.predict("broken", {"instances": [1.0]})
    assert status == 500
    assert "ValueError: index 7 is out of bounds" in answer["error"] and "model.py" not in answer["error"]


def test_compressed_bodies_and_words_that_json_lacks_are_taken(front: Front) -> None:
    body = gzip.compress(b'{"instances": [1, Inf, -Infinity]}')
    status, answer = front.predict("half", body, {"Content-Encoding": "gzip"})
    assert (status, str(answer)) == (200, "{'predictions': [0.5, inf, -inf]}")


def test_base64_with_line_breaks_is_taken(front: Front) -> None:
    row = {"b64": "aGVs\r\nbG8"}
    assert front.predict("text", {"instances": [row]}) == (200, {"predictions": ["hello"]})


def test_ipv6_is_as_good_as_ipv4(triton: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with front_of(triton, host="::1") as front:
        assert front.address.startswith("[::1]:")
        assert front.predict("half", {"instances": [1.0]}) == (200, {"predictions": [0.5]})


def test_the_way_to_triton_leads_through_no_proxy(triton: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        with front_of(triton) as front:
            assert front.predict("half", {"instances": [1.0]}) == (200, {"predictions": [0.5]})
        with pytest.raises(BlockingIOError):  # nobody came
            proxy.accept()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["x", "b64", "inputs"]), inner, max_size=2),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"instances": JSON | st.lists(st.floats(width=32)), "inputs": JSON, "x": JSON}
)
BODIES = REQUESTS.map(lambda made: json.dumps(made).encode()) | st.binary(max_size=40)


@settings(max_examples=150)
@given(
    path=st.sampled_from(
        ["half:predict", "text:predict", "queued:predict/", "half/versions/1:predict", "half/metadata", "x"]
    ),
    method=st.sampled_from(["POST", "POST", "GET", "PUT"]),
    headers=st.dictionaries(
        st.sampled_from(["Content-Encoding", "Content-Type", "Accept", "Expect", "X-Y"]),
        st.sampled_from(["gzip", "identity", "br", "", "100-continue", "text/plain", "\x7f"]),
    ),
    body=BODIES | BODIES.map(gzip.compress),
)
def test_every_request_has_an_answer(
    front: Front, path: str, method: str, headers: dict[str, str], body: bytes
) -> None:
    with closing(http.client.HTTPConnection(front.address, timeout=60)) as connection:
        connection.request(method, f"/v1/models/{path}", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    assert answer.status in {200, 400, 404, 413, 415, 501, 503}, (answer.status, text)
    assert "error" in json.loads(text) or answer.status == 200


def test_after_all_that_nothing_is_held(front: Front) -> None:
    rows = [float(row) for row in range(64)]
    with ThreadPoolExecutor(64) as clients:
        answers = list(clients.map(lambda row: front.predict("half", {"instances": [row]}), rows))
    assert answers == [(200, {"predictions": [row / 2]}) for row in rows]


def test_twice_the_capacity_is_refused_cleanly_and_leaves_it_ready(front: Front, tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    body.write_text('{"instances": [1.0]}')
    script = [sys.executable, str(ROOT / "benchmarks" / "front_load.py"), "--model=queued", f"--body={body}"]
    load = [*script, f"--address={front.address}", f"--pid={front.pid}", "--seconds=5"]
    ran = subprocess.run(load, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    outcome = json.loads(ran.stdout)
    assert outcome["statuses"]["200"] > 10 and outcome["failures"] == {}
    assert set(outcome["probes"]) == {"200"} and outcome["slowest_probe_s"] < PROBE_S
    assert front.memory_mb() < 1024
