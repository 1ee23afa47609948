"""Load through the real Locust runner against transports of known behaviour: what is counted, and from when."""

import time

import gevent
import numpy as np
import pytest
from gevent.lock import Semaphore

from slo_tuner.load.generator import InProcess
from slo_tuner.load.transport import RequestError
from slo_tuner.load.users import Route
from slo_tuner.measurement.closed_loop import measure_closed, sweep
from slo_tuner.measurement.open_loop import MeasuredPoint, Target, Timing, measure_point
from slo_tuner.results.schema import SweepPoint
from slo_tuner.slo.objective import Objective


class OneAtATime:
    """Answers one request at a time, each in `service_s`; can stall once, or fail some."""

    def __init__(self, service_s: float, stall_at: float = 0.0, stall_s: float = 0.0, fail_every: int = 0) -> None:
        self._service_s, self._stall_s, self._fail_every = service_s, stall_s, fail_every
        self._stall_time = time.perf_counter() + stall_at if stall_s else float("inf")
        self._turn = Semaphore(1)
        self._count = 0

    def send(self) -> int:
        self._count += 1
        if self._fail_every and self._count % self._fail_every == 0:
            raise RequestError("UNAVAILABLE: told to")
        with self._turn:
            if time.perf_counter() > self._stall_time:
                self._stall_time = float("inf")
                gevent.sleep(self._stall_s)
            gevent.sleep(self._service_s)
        return 10

    def close(self) -> None:
        """Nothing to close."""


def _target(transport: OneAtATime) -> Target:
    return Target("model", InProcess(Route("model", "grpc", transport)), None)


def _measure(
    transport: OneAtATime, rate: float, objective: Objective, seconds: float = 2.0, sequential: bool = False
) -> MeasuredPoint:
    timing = Timing(warm_up_s=0.5, duration_s=seconds, least_s=0.5, sequential=sequential)
    return measure_point(_target(transport), objective, rate, timing, 1, "single", seed=5)


def test_a_server_within_its_capacity_keeps_the_objective() -> None:
    # A limit at which even a busy machine is no reason to call the point invalid.
    measured = _measure(OneAtATime(0.005), 50.0, Objective(limit_ms=1000))
    assert measured.point.kept and not measured.point.invalid
    assert measured.point.requests == measured.point.due


def test_the_wait_behind_a_stall_is_counted_for_every_request_that_was_due_meanwhile() -> None:
    """Coordinated omission: a closed loop would see one slow request, its users would have seen fifty."""
    measured = _measure(OneAtATime(0.002, stall_at=1.5, stall_s=1.0), 50.0, Objective(limit_ms=100), seconds=3.0)
    late = int((measured.rows.latency_ms > 100).sum())
    assert late >= 35
    assert not measured.point.kept
    closed = measure_closed(_target(OneAtATime(0.002, stall_at=0.7, stall_s=1.0)), 1, 2.0, 0.2)
    assert closed.latency.p95_ms < 20


def test_failed_requests_are_misses_and_are_counted_by_their_reason() -> None:
    point = _measure(OneAtATime(0.001, fail_every=4), 60.0, Objective(limit_ms=100)).point
    assert point.errors == pytest.approx(point.requests / 4, abs=2)
    assert point.misses >= point.errors and not point.kept
    assert list(point.error_reasons) == ["UNAVAILABLE: told to"]


def test_a_hopeless_rate_ends_early() -> None:
    begin = time.perf_counter()
    point = _measure(OneAtATime(0.05), 100.0, Objective(limit_ms=100), seconds=30.0, sequential=True).point
    assert not point.kept and point.certain
    assert point.duration_s < 2.0 and time.perf_counter() - begin < 20


def test_an_easy_rate_ends_early() -> None:
    # A rate and a limit that a busy machine keeps as well.
    point = _measure(OneAtATime(0.001), 100.0, Objective(limit_ms=2000), seconds=30.0, sequential=True).point
    assert point.kept and point.certain and point.duration_s < 15


def test_a_generator_that_cannot_keep_up_makes_the_point_invalid() -> None:
    class Hog(OneAtATime):
        def send(self) -> int:
            end = time.perf_counter() + 0.02
            while time.perf_counter() < end:  # holds the only thread, as too many requests would
                pass
            return 1

    point = _measure(Hog(0.0), 200.0, Objective(limit_ms=100), seconds=1.0).point
    assert (point.invalid and not point.kept) or point.misses
    assert "load generator" in point.invalid_reason


def test_latencies_and_rows_agree() -> None:
    measured = _measure(OneAtATime(0.005), 40.0, Objective(limit_ms=100))
    assert measured.point.latency.p50_ms == pytest.approx(float(np.median(measured.rows.latency_ms)))
    assert measured.point.requests == len(measured.rows)
    assert (measured.rows.sent >= measured.rows.due).all()


def test_a_sweep_ends_when_more_in_flight_gain_nothing() -> None:
    template = measure_closed(_target(OneAtATime(0.002)), 1, 0.3, 0.1)

    def measure(concurrency: int) -> SweepPoint:
        return template.model_copy(update={"concurrency": concurrency, "rate_per_s": min(concurrency, 4) * 100.0})

    assert [point.concurrency for point in sweep(measure, 64)] == [1, 2, 4, 8, 16]


def test_a_sweep_ends_when_requests_take_as_long_as_its_points() -> None:
    template = measure_closed(_target(OneAtATime(0.002)), 1, 0.3, 0.1)

    def measure(concurrency: int) -> SweepPoint:
        latency = template.latency.model_copy(update={"p50_ms": concurrency * 50.0})
        return template.model_copy(
            update={"concurrency": concurrency, "rate_per_s": concurrency * 100.0, "latency": latency}
        )

    assert [point.concurrency for point in sweep(measure, 64)] == [1, 2, 4]


def test_a_sweep_ends_when_requests_fail() -> None:
    template = measure_closed(_target(OneAtATime(0.002)), 1, 0.3, 0.1)

    def measure(concurrency: int) -> SweepPoint:
        errors = {4: 1, 8: 5}.get(concurrency, 0)
        counts = {"concurrency": concurrency, "requests": 100, "errors": errors, "rate_per_s": concurrency * 100.0}
        return template.model_copy(update=counts)

    assert [point.concurrency for point in sweep(measure, 64)] == [1, 2, 4, 8]
