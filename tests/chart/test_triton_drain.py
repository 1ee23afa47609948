"""The preStop hook, run by bash against a metrics port: it ends when the requests have, and not before."""

import http.server
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from render import ROOT

SCRIPT = ROOT / "charts/triton/files/drain.sh"
TEXT = """# HELP nv_inference_request_success Number of successful inference requests, all batch sizes
nv_inference_request_success{{model="m",version="1"}} {done}
nv_inference_request_failure{{model="m",reason="OTHER",version="1"}} 0
nv_inference_pending_request_count{{model="m",version="1"}} {pending}
"""


class Metrics:
    """A metrics port whose counters follow from the seconds since it was made."""

    def __init__(self, done: Callable[[float], int], pending: Callable[[float], int]) -> None:
        started = time.monotonic()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seconds = time.monotonic() - started
                body = TEXT.format(done=done(seconds), pending=pending(seconds)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Drain(NamedTuple):
    """One case: what the server counts, and the hook's minimum, quiet time and deadline in seconds."""

    times: tuple[int, int, int]
    done: Callable[[float], int] = lambda _: 5
    pending: Callable[[float], int] = lambda _: 0


CASES = {
    "idle": Drain((3, 1, 20)),
    "finishing for 3 s": Drain((0, 2, 20), done=lambda s: int(min(s, 3) * 10)),
    "queued for 3 s": Drain((0, 1, 20), pending=lambda s: int(s < 3)),
    "busy for ever": Drain((0, 1, 3), done=lambda s: int(s * 1000)),
}


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, str]]:
    """Seconds that the hook took in each case, and what it logged. All run at once: they mostly wait."""
    folder = tmp_path_factory.mktemp("drain")

    def run(name: str) -> tuple[float, str]:
        case = CASES.get(name)
        metrics = Metrics(case.done, case.pending) if case else None
        # nothing listens on port 1
        port, times = (metrics.port, case.times) if case and metrics else (1, (20, 1, 25))
        log = folder / name
        started = time.monotonic()
        command = ["bash", str(SCRIPT), *map(str, (port, *times))]
        subprocess.run(command, env={"PATH": "/usr/bin:/bin", "DRAIN_LOG": str(log)}, timeout=30, check=True)
        seconds = time.monotonic() - started
        if metrics:
            metrics.server.shutdown()
            metrics.server.server_close()
        return seconds, log.read_text(encoding="utf-8")

    with ThreadPoolExecutor() as pool:
        names = [*CASES, "gone"]
        return dict(zip(names, pool.map(run, names), strict=True))


def test_idle_server_serves_the_minimum_and_then_stops(drained: dict[str, tuple[float, str]]) -> None:
    seconds, log = drained["idle"]
    assert 2 <= seconds < 8
    assert "no request for 1 s" in log


def test_drain_waits_while_requests_finish(drained: dict[str, tuple[float, str]]) -> None:
    assert 4 <= drained["finishing for 3 s"][0] < 10


def test_drain_waits_for_requests_in_the_queue(drained: dict[str, tuple[float, str]]) -> None:
    assert 3 <= drained["queued for 3 s"][0] < 9


def test_drain_gives_up_at_its_deadline(drained: dict[str, tuple[float, str]]) -> None:
    seconds, log = drained["busy for ever"]
    assert 2 <= seconds < 8
    assert "requests still arrive or run at the deadline of 3 s" in log


def test_drain_does_not_wait_for_a_server_that_is_gone(drained: dict[str, tuple[float, str]]) -> None:
    seconds, log = drained["gone"]
    assert seconds < 10
    assert "does not answer" in log
