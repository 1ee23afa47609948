"""The search finds the capacity of simulated servers whose capacity is known."""

import statistics
from dataclasses import dataclass

import pytest
from simulated_server import SimulatedServer, true_capacity

from slo_tuner.slo.miss_curve import crossing
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.rate_search import Limits, search


def _limits(service_s: float) -> Limits:
    return Limits(start_rate=0.85 / service_s, lowest_rate=0.02 / service_s, objective=Objective())


@pytest.mark.parametrize(("service_s", "limit_ms"), [(0.012, 216.0), (0.012, 100.0), (0.003, 30.0), (0.054, 216.0)])
def test_the_rate_found_is_within_three_percent_of_the_capacity(service_s: float, limit_ms: float) -> None:
    """With points of 10,000 services: the median of nine searches is within 1.5 %, at most two are off by over 3 %."""
    capacity = true_capacity(service_s, limit_ms)
    errors = []
    for seed in range(9):
        server = SimulatedServer(service_s, limit_ms, seed, seconds=10_000 * service_s)
        rate = search(server.measure, _limits(service_s)).rate_per_s
        assert rate is not None
        errors.append(abs(rate / capacity - 1))
    assert statistics.median(errors) <= 0.015, errors
    assert sorted(errors)[-3] <= 0.03, errors


def test_a_search_needs_few_points() -> None:
    server = SimulatedServer(0.012, 216.0, seed=1)
    search(server.measure, _limits(0.012))
    assert len(server.points) <= 20


def test_an_objective_below_the_service_time_is_not_met() -> None:
    server = SimulatedServer(0.1, 50.0, seed=1)
    found = search(server.measure, _limits(0.1))
    assert found.rate_per_s is None
    assert found.missed_per_s == pytest.approx(0.2)


def test_a_search_that_starts_far_too_high_or_low_still_arrives() -> None:
    capacity = true_capacity(0.012, 216.0)
    for start in (0.05 * capacity, 8 * capacity):
        server = SimulatedServer(0.012, 216.0, seed=2, seconds=60.0)
        found = search(server.measure, Limits(start, 0.5, Objective()))
        assert found.rate_per_s == pytest.approx(capacity, rel=0.05)


@dataclass(frozen=True)
class _Invalid:
    rate_per_s: float
    kept: bool = True
    invalid: bool = True
    requests: int = 100
    misses: int = 0
    errors: int = 0


def test_a_generator_that_always_lags_ends_the_search_without_a_rate() -> None:
    points = []

    def measure(rate: float, purpose: str) -> _Invalid:
        points.append(rate)
        return _Invalid(rate)

    found = search(measure, Limits(100.0, 1.0, Objective()))
    assert (found.rate_per_s, found.generator_limited) == (None, True)
    assert len(points) <= 8


def test_the_miss_curve_crosses_between_a_kept_and_a_missed_rate() -> None:
    points = [_Invalid(90.0, requests=1000, misses=20), _Invalid(100.0, requests=1000, misses=120)]
    assert 92 < crossing(points, Objective(), 90.0, 100.0) < 98
