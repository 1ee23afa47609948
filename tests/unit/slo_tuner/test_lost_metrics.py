"""A point survives a server that stops telling its metrics in the middle of it; the stages are missing, and why."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gevent
import pytest
from test_slow_and_failing import Taking

from slo_tuner.load.generator import InProcess
from slo_tuner.load.users import Route
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.results.schema import Point
from slo_tuner.session.progress import Progress
from slo_tuner.slo.objective import Objective
from slo_tuner.triton import server_metrics
from slo_tuner.triton.server_metrics import MetricsEndpoint, Window

GPU = "nv_gpu_utilization 0.5\nnv_gpu_memory_used_bytes 1e9\n"
Answer = Callable[[int], str | None]


def _counters(number: int) -> str:
    """As Triton counts; each look finds ten requests more."""
    names = ("request_success", "count", "exec_count", "queue_duration_us", "compute_infer_duration_us")
    return "".join(f'nv_inference_{name}{{model="m"}} {10 * number}\n' for name in names) + GPU


@contextmanager
def _metrics(answer: Answer) -> Iterator[MetricsEndpoint]:
    """Metrics whose n-th look is `answer(n)`; None: it hangs."""
    looks, ended = [0], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            looks[0] += 1
            text = answer(looks[0])
            if text is None:
                ended.wait(30)
                return
            self.send_response(200 if text else 503)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A window that closes leaves in the middle of an answer: no traceback of this server's own."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield MetricsEndpoint(f"http://127.0.0.1:{server.server_port}/metrics")
        ended.set()
        server.shutdown()


def _point(endpoint: MetricsEndpoint) -> Point:
    target = Target("m", InProcess(Route("m", "grpc", Taking(0.001))), endpoint)
    timing = Timing(warm_up_s=0.1, duration_s=0.5, least_s=0.5, sequential=False)
    return measure_point(target, Objective(limit_ms=2000), PointSpec(40.0, "single", 1, seed=5), timing).point


def test_metrics_that_are_told_give_the_stages() -> None:
    with _metrics(_counters) as endpoint:
        point = _point(endpoint)
    assert point.server is not None and point.server.gpu_utilization in (None, 0.5) and point.server_missing == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda number: _counters(number) if number <= 2 else None, "no answer within 0.3 s"),
        (lambda number: _counters(number) if number <= 2 else "", "the answer is 503"),
        (lambda number: None, "no answer within 0.3 s"),
        (lambda number: _counters(number) if number <= 2 else "nv_inference{ what\n", "cannot be read"),
    ],
    ids=["hangs in the middle", "fails in the middle", "hangs from the start", "is no metrics"],
)
def test_a_point_survives(
    answer: Answer, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_metrics, "_ANSWER_S", 0.3)
    monkeypatch.setattr(server_metrics, "_LOOK_S", 0.05)
    with _metrics(answer) as endpoint:
        point = _point(endpoint)
    assert point.kept and point.requests == point.due
    assert point.server is None and reason in point.server_missing
    Progress().point(Objective(quantile=0.99), point)
    printed = capsys.readouterr().err
    assert f" P99 {point.objective_quantile_ms:7.1f} ms " in printed
    assert f"no server stages: {point.server_missing}" in printed and "Traceback" not in printed


def test_one_look_that_fails_does_not_end_the_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_metrics, "_LOOK_S", 0.02)
    with _metrics(lambda number: "" if 3 <= number <= 5 else _counters(number)) as endpoint:
        window = Window(endpoint, "m")
        with gevent.Timeout(20):
            while len(window._gpu) < 3:
                gevent.sleep(0.02)
        stages = window.stages()
    assert stages is not None and stages.gpu_utilization == 0.5
