"""Models that take longer than a point lasts are measured all the same; where nothing is answered, it says why."""

import gevent
import pytest
from known_server import MODEL

from slo_tuner.load.generator import InProcess
from slo_tuner.load.transport import RequestError
from slo_tuner.load.users import Route
from slo_tuner.measurement.closed_loop import measure_closed
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.slo.objective import Objective


class Taking:
    """Answers each request after `seconds`; the first `failing` ones fail then."""

    def __init__(self, seconds: float, failing: int = 0) -> None:
        self._seconds, self._failing = seconds, failing

    def send(self) -> int:
        gevent.sleep(self._seconds)
        self._failing -= 1
        if self._failing >= 0:
            raise RequestError("INTERNAL: out of memory")
        return 1

    def close(self) -> None:
        """Nothing to close."""


def _target(transport: Taking) -> Target:
    return Target(MODEL, InProcess(Route(MODEL, "grpc", transport)), None)


@pytest.mark.slow
def test_a_closed_loop_lasts_until_a_few_requests_were_answered() -> None:
    point = measure_closed(_target(Taking(0.6)), 1, duration_s=0.2, warm_up_s=0.1)
    assert point.requests == 3 and point.errors == 0
    assert point.latency.p50_ms == pytest.approx(600, abs=200)
    assert point.duration_s == pytest.approx(1.7, abs=0.5)
    assert point.rate_per_s == pytest.approx(3 / point.duration_s)


def test_a_closed_loop_without_an_answer_ends_with_the_first_failure_and_its_reason() -> None:
    point = measure_closed(_target(Taking(0.5, failing=10**6)), 1, duration_s=0.1, warm_up_s=0.05)
    assert point.requests == point.errors == 1
    assert list(point.error_reasons) == ["INTERNAL: out of memory"]


def test_reasons_of_failures_in_the_warm_up_do_not_count() -> None:
    timing = Timing(warm_up_s=0.5, duration_s=0.6, least_s=0.6, sequential=False)
    target = _target(Taking(0.001, failing=10))
    measured = measure_point(target, Objective(limit_ms=500), PointSpec(60.0, "single", 1, seed=5), timing)
    assert measured.point.errors == 0 and measured.point.error_reasons == {}


def test_reasons_are_counted_as_often_as_the_failures_of_the_point() -> None:
    timing = Timing(warm_up_s=0.3, duration_s=0.6, least_s=0.6, sequential=False)
    target = _target(Taking(0.001, failing=10**6))
    point = measure_point(target, Objective(limit_ms=500), PointSpec(60.0, "single", 1, seed=5), timing).point
    assert point.error_reasons == {"INTERNAL: out of memory": point.errors}
    assert point.errors == point.requests and point.objective_quantile_ms is None
