"""Load through the real Locust runner against transports of known behaviour: what is counted, and from when.

In virtual time: the numbers are the same on any machine, however busy. tests/end_to_end measures in real time.
"""

import re

import numpy as np
import pytest
from gevent.lock import Semaphore
from virtual_time import VirtualTime

from slo_tuner.load import generator, users
from slo_tuner.load.generator import InProcess
from slo_tuner.load.transport import RequestError
from slo_tuner.load.users import Route
from slo_tuner.measurement import closed_loop, open_loop
from slo_tuner.measurement.closed_loop import measure_closed, sweep
from slo_tuner.measurement.open_loop import MeasuredPoint, PointSpec, Target, Timing, measure_point
from slo_tuner.results.schema import SweepPoint
from slo_tuner.slo.objective import Objective

CLOCK = VirtualTime()


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that makes, records and judges load waits in virtual time."""
    CLOCK.install(monkeypatch, generator, users, open_loop, closed_loop)


class OneAtATime:
    """Answers one request at a time, each in `service_s`; can stall once, or fail some."""

    def __init__(self, service_s: float, stall_at: float = 0.0, stall_s: float = 0.0, fail_every: int = 0) -> None:
        self._service_s, self._stall_s, self._fail_every = service_s, stall_s, fail_every
        self._stall_time = CLOCK.now + stall_at if stall_s else float("inf")
        self._turn = Semaphore(1)
        self._count = 0

    def send(self) -> int:
        self._count += 1
        if self._fail_every and self._count % self._fail_every == 0:
            raise RequestError("UNAVAILABLE: told to")
        with self._turn:
            if CLOCK.now > self._stall_time:
                self._stall_time = float("inf")
                CLOCK.sleep(self._stall_s)
            CLOCK.sleep(self._service_s)
        return 10

    def close(self) -> None:
        """Nothing to close."""


def _target(transport: OneAtATime) -> Target:
    return Target("model", InProcess(Route("model", "grpc", transport)), None)


def _measure(
    transport: OneAtATime, rate: float, objective: Objective, seconds: float = 2.0, sequential: bool = False
) -> MeasuredPoint:
    timing = Timing(warm_up_s=0.5, duration_s=seconds, least_s=0.5, sequential=sequential)
    return measure_point(_target(transport), objective, PointSpec(rate, "single", 1, seed=5), timing)


def test_a_server_within_its_capacity_keeps_the_objective() -> None:
    measured = _measure(OneAtATime(0.005), 50.0, Objective(limit_ms=100))
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
    point = _measure(OneAtATime(0.05), 100.0, Objective(limit_ms=100), seconds=30.0, sequential=True).point
    assert not point.kept and point.certain
    assert point.duration_s < 2.0


def test_an_easy_rate_ends_early() -> None:
    point = _measure(OneAtATime(0.001), 200.0, Objective(limit_ms=500), seconds=30.0, sequential=True).point
    assert point.kept and point.certain and point.duration_s < 3.0


class Hog(OneAtATime):
    """Holds the only thread for `service_s`, as a request that takes the generator too long to make."""

    def send(self) -> int:
        CLOCK.now += self._service_s
        return 1


def test_a_generator_that_cannot_keep_up_makes_the_point_invalid() -> None:
    """250 requests are due in a second and 50 can be made: the server, which answers at once, is not to blame."""
    point = _measure(Hog(0.02), 250.0, Objective(limit_ms=100), seconds=1.0).point
    assert point.invalid and not point.kept
    assert re.match(
        r"the load generator sent late: P95 of its delay is \d{4}\.\d ms, 5\.0 ms are", point.invalid_reason
    )


def test_a_generator_that_sends_all_but_late_makes_the_point_invalid() -> None:
    point = _measure(Hog(0.009), 100.0, Objective(limit_ms=100), seconds=1.0).point
    assert point.requests == point.due and point.invalid and not point.misses
    assert re.match(r"the load generator sent late: P95 of its delay is \d+\.\d ms, 5\.0 ms are", point.invalid_reason)


def test_a_generator_that_keeps_up_leaves_the_point_valid() -> None:
    point = _measure(Hog(0.0005), 100.0, Objective(limit_ms=100), seconds=1.0).point
    assert point.kept and not point.invalid and point.invalid_reason == ""


def test_latencies_and_rows_agree() -> None:
    measured = _measure(OneAtATime(0.005), 40.0, Objective(limit_ms=100))
    assert measured.point.latency.p50_ms == pytest.approx(float(np.median(measured.rows.latency_ms)))
    assert measured.point.requests == len(measured.rows)
    assert (measured.rows.delay_ms > -1e-6).all(), "nothing is sent before it is due"


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
