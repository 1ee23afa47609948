"""The preStop hook, run by bash against a metrics port: it ends when the requests have, and not before."""

import http.server
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

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


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    servers = []

    def start(done: Callable[[float], int] = lambda _: 5, pending: Callable[[float], int] = lambda _: 0) -> int:
        servers.append(Metrics(done, pending))
        return servers[-1].port

    yield start
    for metrics in servers:
        metrics.server.shutdown()
        metrics.server.server_close()


def drain(folder: Path, port: int, minimum: int, quiet: int, deadline: int) -> tuple[float, str]:
    """Seconds that the hook took, and what it logged."""
    log = folder / "log"
    started = time.monotonic()
    command = ["bash", str(SCRIPT), *map(str, (port, minimum, quiet, deadline))]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", "DRAIN_LOG": str(log)}, timeout=30, check=False)
    assert done.returncode == 0
    return time.monotonic() - started, log.read_text(encoding="utf-8")


def test_idle_server_serves_the_minimum_and_then_stops(serve: Callable[..., int], tmp_path: Path) -> None:
    seconds, log = drain(tmp_path, serve(), minimum=3, quiet=1, deadline=20)
    assert 2 <= seconds < 6
    assert "no request for 1 s" in log


def test_drain_waits_while_requests_finish(serve: Callable[..., int], tmp_path: Path) -> None:
    seconds, _ = drain(tmp_path, serve(done=lambda s: int(min(s, 3) * 10)), minimum=0, quiet=2, deadline=20)
    assert 4 <= seconds < 8


def test_drain_waits_for_requests_in_the_queue(serve: Callable[..., int], tmp_path: Path) -> None:
    seconds, _ = drain(tmp_path, serve(pending=lambda s: int(s < 3)), minimum=0, quiet=1, deadline=20)
    assert 3 <= seconds < 7


def test_drain_gives_up_at_its_deadline(serve: Callable[..., int], tmp_path: Path) -> None:
    seconds, log = drain(tmp_path, serve(done=lambda s: int(s * 1000)), minimum=0, quiet=1, deadline=3)
    assert 2 <= seconds < 6
    assert "requests still arrive or run at the deadline of 3 s" in log


def test_drain_does_not_wait_for_a_server_that_is_gone(serve: Callable[..., int], tmp_path: Path) -> None:
    seconds, log = drain(tmp_path, 1, minimum=20, quiet=1, deadline=25)
    assert seconds < 6
    assert "does not answer" in log
