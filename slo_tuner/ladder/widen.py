"""Widens an objective that was picked, not asked for, until the baseline keeps it: without its rate are no ratios."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..results.schema import Point
from ..slo.numerals import beside, rate_text
from ..slo.objective import ChosenObjective, Objective, keeps, wider_objective
from ..slo.rate_search import Found

# Above all multiples of the unloaded latency a limit grows by half at least each time.
_MOST_TIMES = 12


class MeasuredModel(Protocol):
    """What the search measured of a model by the present objective."""

    @property
    def model(self) -> str: ...
    @property
    def points(self) -> Sequence[Point]: ...
    def forget_points(self) -> None:
        """Forget the points: they were judged by an objective that no longer counts."""


@dataclass(frozen=True)
class _AtLowest:
    """What came of the lowest rate: counts of its valid points, and the objective's quantile that they reached."""

    rate_per_s: float
    requests: int
    errors: int
    reached_ms: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> "_AtLowest":
        rate = min(point.rate_per_s for point in points)
        valid = [point for point in points if point.rate_per_s == rate and not point.invalid]
        quantiles = [p.objective_quantile_ms for p in valid if p.objective_quantile_ms is not None]
        return cls(
            rate,
            sum(point.requests for point in valid),
            sum(point.errors for point in valid),
            max((ms for ms in quantiles if not math.isnan(ms)), default=0.0),
        )


def find_widening(
    measured: MeasuredModel,
    picked: ChosenObjective,
    unloaded_ms: float,
    find: Callable[[Objective], Found],
    say: Callable[[str], None],
) -> tuple[ChosenObjective, Found]:
    """Search within the picked objective, and within wider ones until one is kept; the last one, and what was found.

    `unloaded_ms` is the model's latency with one request in flight. A server that fails more requests than the
    objective allows, at its lowest rate, keeps no limit: that is said at once, also by the objective's source.
    """
    chosen, found = picked, find(picked.objective)
    for _ in range(_MOST_TIMES):
        if found.rate_per_s is not None:
            return chosen, found
        lowest, missed = _AtLowest.of(measured.points), chosen.objective
        if not keeps(lowest.errors, lowest.requests, missed.error_share):
            why = f"fails {lowest.errors} of {lowest.requests} requests even at {rate_text(lowest.rate_per_s)} req/s"
            return _without_ratios(chosen, measured.model, why, say), found
        chosen = wider_objective(missed, measured.model, unloaded_ms, lowest.reached_ms)
        seen = f"{missed.quantile_name} was {beside(lowest.reached_ms, missed.limit_ms, 0)} ms"
        why = "the load generator lagged" if found.generator_limited else seen
        say(f"  {missed} is not kept even at {rate_text(lowest.rate_per_s)} req/s: {why}; wider: {chosen.objective}")
        measured.forget_points()
        found = find(chosen.objective)
    if found.rate_per_s is None:
        chosen = _without_ratios(chosen, measured.model, f"does not keep even {chosen.objective}", say)
    return chosen, found


def _without_ratios(chosen: ChosenObjective, model: str, why: str, say: Callable[[str], None]) -> ChosenObjective:
    text = f"{model} {why}: no wider limit helps, and without its rate there are no ratios"
    say(f"  {text}")
    return replace(chosen, source=f"{chosen.source}; {text}")
