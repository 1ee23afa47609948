"""When a point is invalid because of its load generator, and what it says would help."""

import numpy as np

from slo_tuner.load.request_log import RequestLog
from slo_tuner.measurement.validity import LoadCost, invalid_reason, workers_for
from slo_tuner.slo.objective import Objective

LIMIT = Objective(limit_ms=100)


def _rows(delay_s: float, server_s: float = 0.01, count: int = 100) -> RequestLog:
    due = np.linspace(0, 1, count)
    return RequestLog(np.column_stack([due, due + delay_s, due + delay_s + server_s, np.ones(count)]))


def test_a_punctual_generator_makes_no_point_invalid() -> None:
    assert invalid_reason(_rows(0.001), 100, LIMIT, LoadCost(100.0, 0.6, 1, 2)) == ""


def test_a_server_that_misses_by_itself_is_no_fault_of_the_generator() -> None:
    assert invalid_reason(_rows(0.05, server_s=0.2), 100, LIMIT, LoadCost(100.0, 0.6, 1, 2)) == ""


def test_a_server_that_fails_more_than_is_allowed_is_no_fault_of_the_generator() -> None:
    """2 of 100 fail: that is within the 5 % that may be late, and more than the 1 % that may fail."""
    rows = _rows(0.05)
    rows.table[:2, 3] = 0
    assert invalid_reason(RequestLog(rows.table), 100, LIMIT, LoadCost(100.0, 0.6, 1, 2)) == ""


def test_an_answer_that_may_have_waited_for_the_generator_is_no_miss_of_the_server() -> None:
    assert "sent late" in invalid_reason(_rows(0.15, server_s=0.2), 100, LIMIT, LoadCost(100.0, 0.6, 1, 2))


def test_a_busy_generator_says_how_many_workers_would_do() -> None:
    reason = invalid_reason(_rows(0.05), 100, LIMIT, LoadCost(3000.0, 0.6, 1, 16))
    assert "P95 of its delay is 50.0 ms, 5.0 ms are allowed" in reason
    assert reason.endswith("0.60 ms of CPU a request: --workers 3 would do")


def test_too_small_a_machine_is_named() -> None:
    reason = invalid_reason(_rows(0.0, count=50), 100, LIMIT, LoadCost(1e6, 0.6, 1, 2))
    assert reason.startswith("the load generator sent 50 of 100 requests that were due; ")
    assert "1000 workers would do, and this machine has" in reason


def test_workers_with_time_left_are_not_to_blame() -> None:
    reason = invalid_reason(_rows(0.05), 100, LIMIT, LoadCost(3000.0, 0.5, 5, 16))
    assert reason.endswith("0.50 ms of CPU a request, 30 % of a core each: something else keeps this machine busy")


def test_the_cores_of_other_machines_are_not_known() -> None:
    assert invalid_reason(_rows(0.05), 100, LIMIT, LoadCost(1e6, 0.6, 2, None)).endswith("--workers 1000 would do")
    busy = invalid_reason(_rows(0.05), 100, LIMIT, LoadCost(3000.0, 0.5, 5, None))
    assert busy.endswith("30 % of a core each: something else keeps their machines busy")


def test_a_worker_is_used_to_three_fifths_of_a_core() -> None:
    assert [workers_for(rate, 0.6) for rate in (10, 1000, 1001, 20000)] == [1, 1, 2, 20]
