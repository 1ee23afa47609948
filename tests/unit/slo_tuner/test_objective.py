"""An objective is read from text, refused with what is allowed, and chosen relative to a baseline."""

import pytest

from command_line.errors import UsageError
from slo_tuner.slo.objective import Objective, parse_objective, relative_objective


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p95<=100ms", Objective(0.95, 100.0)),
        ("P99 <= 0.5 s", Objective(0.99, 500.0)),
        ("p99.9<=20ms,errors<=0.1%", Objective(0.999, 20.0, 0.001)),
    ],
)
def test_an_objective_is_read(text: str, expected: Objective) -> None:
    assert parse_objective(text) == expected


def test_an_objective_prints_as_it_is_written() -> None:
    assert parse_objective(str(Objective(0.999, 20.0, 0.001))) == Objective(0.999, 20.0, 0.001)


@pytest.mark.parametrize(
    "text", ["", "fast", "p95", "p95<=abc", "p95<=100", "p95<=0ms", "p10<=5ms", "p95<=1ms,x", "100"]
)
def test_what_is_no_objective_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"objective: .*(p95<=100ms|the quantile is 50)"):
        parse_objective(text)


@pytest.mark.parametrize(("unloaded_ms", "limit_ms"), [(54.0, 250.0), (12.0, 50.0), (2.0, 8.0), (30.0, 120.0)])
def test_a_relative_objective_is_four_times_the_latency_rounded_up(unloaded_ms: float, limit_ms: float) -> None:
    assert relative_objective(unloaded_ms) == Objective(0.95, limit_ms)
