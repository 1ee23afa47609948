"""An objective is read from text, refused with what is allowed, and chosen relative to a baseline."""

import numpy as np
import pytest

from command_line.errors import UsageError
from slo_tuner.load.request_log import quantile_of
from slo_tuner.slo.objective import (
    Objective,
    choose_objective,
    keeps,
    parse_objective,
    rank_of,
    relative_objective,
)


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


@pytest.mark.parametrize("text", ["p99.999<=1234.5678ms", "p99.99995<=1234567ms,errors<=0.0001%"])
def test_an_objective_of_many_digits_is_read_as_it_is_printed(text: str) -> None:
    assert str(parse_objective(text)) == text
    assert parse_objective(str(parse_objective(text))) == parse_objective(text)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_a_quantile_is_within_a_limit_exactly_where_the_objective_is_kept(quantile: float) -> None:
    """Of few requests an interpolated one would not be: of 20 answers the P95 lay above a limit that 19 keep."""
    random = np.random.default_rng(1)
    for total in [*range(1, 70), 200, 999, 1000, 1001]:
        latencies = random.exponential(100.0 / np.log(1 / (1 - quantile)), total)
        kept = keeps(np.count_nonzero(latencies > 100.0), total, Objective(quantile).miss_share)
        reached = quantile_of(latencies, quantile)
        assert reached is not None and (reached <= 100.0) is kept, (total, reached)


def test_the_quantile_is_the_largest_that_may_not_be_late() -> None:
    assert [rank_of(0.95, total) for total in (1, 19, 20, 100)] == [1, 19, 19, 95]
    assert quantile_of(np.empty(0), 0.95) is None


def test_an_objective_prints_as_it_is_written() -> None:
    assert parse_objective(str(Objective(0.999, 20.0, 0.001))) == Objective(0.999, 20.0, 0.001)


@pytest.mark.parametrize(
    "text",
    ["", "fast", "p95", "p95<=abc", "p95<=100", "p95<=0ms", "p10<=5ms", "p95<=1ms,x", "100", f"p95<={'9' * 400}s"],
)
def test_what_is_no_objective_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"objective: .*(p95<=100ms|the quantile is 50)"):
        parse_objective(text)


@pytest.mark.parametrize(("unloaded_ms", "limit_ms"), [(54.0, 250.0), (12.0, 50.0), (2.0, 8.0), (30.0, 120.0)])
def test_a_relative_objective_is_four_times_the_latency_rounded_up(unloaded_ms: float, limit_ms: float) -> None:
    assert relative_objective(unloaded_ms) == Objective(0.95, limit_ms)


def test_an_unloaded_latency_below_a_millisecond_is_not_said_to_be_nothing() -> None:
    chosen = choose_objective(None, "m", 0.4)
    assert (chosen.objective.limit_ms, chosen.source) == (2, "4 times the unloaded latency of m (0.4 ms), rounded up")
