"""The objective `auto` is widened until the baseline keeps it, so that a ladder has ratios; else the reason is said."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from simulated_family import SimulatedBench, Surface

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.ladder.widen import find_widening
from slo_tuner.results.schema import Point
from slo_tuner.slo.objective import Objective, choose_objective, wider_objective
from slo_tuner.slo.rate_search import Found, Limits, search

SURFACE = Surface(0.001, 0.003, 0.006, 1.0, 2.0, 0.02, 0.08, 0.001, most_copies=2)
UNLOADED_MS = 11.0


@dataclass
class _Model:
    """A simulated model that is searched from 80 requests a second; `change` may change each of its points."""

    change: Callable[[Point, Objective], Point] = lambda point, _: point
    model: str = "original"
    points: list[Point] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    tried: list[Objective] = field(default_factory=list)

    def forget_points(self) -> None:
        self.points.clear()

    def find(self, objective: Objective) -> Found:
        self.tried.append(objective)
        bench = SimulatedBench(SURFACE, objective.limit_ms, seed=1, requests=200)
        bench.configuration = Configuration(batch=4, instances=1)

        def measure(rate: float, purpose: str) -> Point:
            self.points.append(self.change(bench.point(rate, purpose), objective))
            return self.points[-1]

        return search(measure, Limits(80.0, 2.0, objective))


def _missed_below(limit_ms: float) -> Callable[[Point, Objective], Point]:
    """Every request takes that long, whatever the rate."""

    def change(point: Point, objective: Objective) -> Point:
        if objective.limit_ms >= limit_ms:
            return point
        return point.model_copy(update={"misses": point.requests, "kept": False, "objective_quantile_ms": limit_ms})

    return change


def _widened(model: _Model) -> tuple[Objective, str, Found]:
    chosen, found = find_widening(
        model, choose_objective(None, model.model, UNLOADED_MS), UNLOADED_MS, model.find, model.said.append
    )
    return chosen.objective, chosen.source, found


def test_an_objective_that_is_kept_stays() -> None:
    model = _Model()
    objective, _, found = _widened(model)
    assert (objective.limit_ms, found.rate_per_s is not None, model.said) == (45.0, True, [])


def test_an_objective_is_widened_to_what_the_baseline_keeps_and_that_is_said() -> None:
    """At the lowest rate P95 was 170 ms: multiples of 66, 99 and 154 ms are not even tried."""
    model = _Model(_missed_below(170.0))
    objective, source, found = _widened(model)
    assert found.rate_per_s is not None
    assert [one.limit_ms for one in model.tried] == [45.0, 250.0]
    assert objective.limit_ms == 250.0 and source.startswith("20 times the unloaded latency of original")
    (line,) = model.said
    assert "p95<=45ms is not kept even at 2.0 req/s: P95 was 170 ms; wider: p95<=250ms" in line
    assert all(point.kept or point.rate_per_s > 2.0 for point in model.points), "points of the old objective are left"


def test_an_objective_is_widened_beyond_all_multiples_of_the_unloaded_latency() -> None:
    objective, source, found = _widened(_Model(_missed_below(9000.0)))
    assert found.rate_per_s is not None and objective.limit_ms == 13500.0
    assert source.startswith("1.5 times what original reached at its lowest rate (9000 ms)")


def test_a_load_generator_that_lags_within_a_narrow_limit_does_not_within_a_wider_one() -> None:
    def lagging(point: Point, objective: Objective) -> Point:
        return point.model_copy(update={"invalid_reason": "late" if objective.limit_ms < 100 else ""})

    model = _Model(lagging)
    objective, _, found = _widened(model)
    assert found.rate_per_s is not None and objective.limit_ms == 100.0
    assert "the load generator lagged" in model.said[0]


def test_a_model_that_fails_requests_at_any_rate_ends_the_widening_with_the_reason() -> None:
    def failing(point: Point, _: Objective) -> Point:
        return point.model_copy(update={"errors": point.requests // 10, "kept": False})

    model = _Model(failing)
    _, source, found = _widened(model)
    assert found.rate_per_s is None and len(model.tried) == 1
    assert "original fails" in model.said[0] and "there are no ratios" in model.said[0]
    assert model.said[0].strip() in source


def test_a_model_that_keeps_nothing_ends_the_widening_with_the_widest() -> None:
    model = _Model(lambda point, _: point.model_copy(update={"misses": point.requests, "kept": False}))
    objective, source, found = _widened(model)
    assert found.rate_per_s is None and objective == model.tried[-1]
    assert f"original does not keep even {objective}" in model.said[-1]
    assert "there are no ratios" in source


@pytest.mark.parametrize(("reached_ms", "limit_ms"), [(0.0, 70.0), (69.0, 70.0), (70.0, 100.0), (700.0, 1050.0)])
def test_the_next_wider_objective_is_above_what_was_reached(reached_ms: float, limit_ms: float) -> None:
    missed = replace(choose_objective(None, "m", UNLOADED_MS).objective)
    assert wider_objective(missed, "m", UNLOADED_MS, reached_ms).objective.limit_ms == limit_ms
