"""What a point says of requests whose fate is known: judged as one, failed ones in no quantile, ended when certain."""

import time
from dataclasses import dataclass

import numpy as np
import pytest

from slo_tuner.load.request_log import Floats, RequestLog
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.results.schema import Point
from slo_tuner.slo.objective import parse_objective


class _Recorded:
    """A run whose requests end as it is told: `fail_every` n-th is refused in 1 ms, the others take `answer_s`."""

    cpu_s = 0.0

    def __init__(self, offsets_s: Floats, answer_s: float, fail_every: int) -> None:
        self.started_at = time.perf_counter()
        ok = np.arange(1, len(offsets_s) + 1) % fail_every > 0
        done = offsets_s + np.where(ok, answer_s, 0.001)
        self._rows, self._stopped_s = np.column_stack([offsets_s, offsets_s, done, ok]), np.inf

    def errors_between(self, start: float, end: float) -> dict[str, int]:
        return {}

    def complete_until_s(self) -> float:
        return time.perf_counter() - self.started_at

    def take(self) -> RequestLog:
        known = (self._rows[:, 2] <= self.complete_until_s()) & (self._rows[:, 0] < self._stopped_s)
        taken, self._rows = self._rows[known], self._rows[~known]
        return RequestLog(taken)

    def stop(self) -> None:
        self._stopped_s = min(self._stopped_s, self.complete_until_s())

    def join(self, timeout_s: float | None = None) -> bool:
        time.sleep(0.1)
        return True

    def close(self) -> None:
        pass


@dataclass
class _Server:
    """Makes such runs."""

    answer_s: float
    fail_every: int
    workers: int = 1
    cores: int | None = 2

    def open(self, offsets_s: Floats) -> _Recorded:
        return _Recorded(offsets_s, self.answer_s, self.fail_every)

    def closed(self, users: int) -> _Recorded:
        raise NotImplementedError

    def close(self) -> None:
        pass


def _point(objective: str, answer_s: float, fail_every: int, duration_s: float = 1.0) -> Point:
    timing = Timing(warm_up_s=0.0, duration_s=duration_s, least_s=0.3, sequential=True)
    target = Target("m", _Server(answer_s, fail_every), None)
    return measure_point(target, parse_objective(objective), PointSpec(1000.0, "bracket", 1, seed=1), timing).point


def test_requests_that_were_refused_in_a_moment_improve_no_quantile() -> None:
    """Every third fails in 1 ms, the others take 50 ms: P5, mean and P95 are those of the answers."""
    point = _point("p95<=100ms", answer_s=0.05, fail_every=3)
    assert point.errors > 0.3 * point.requests
    assert round(point.latency.mean_ms) == round(point.latency.p50_ms) == round(point.objective_quantile_ms) == 50


@pytest.mark.slow
def test_a_point_that_fails_more_than_is_allowed_is_missed_and_over_early() -> None:
    point = _point("p95<=100ms,errors<=0.1%", answer_s=0.01, fail_every=40, duration_s=20.0)
    assert 0 < point.miss_share < 0.05 and not point.kept and point.certain
    assert point.duration_s < 15
    # The same requests keep an objective that lets so many fail.
    allowing = _point("p95<=100ms,errors<=10%", answer_s=0.01, fail_every=40, duration_s=20.0)
    assert allowing.kept and allowing.certain and allowing.duration_s < 15
