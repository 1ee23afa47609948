"""Widens an objective that was picked, not asked for, until the baseline keeps it: without its rate are no ratios."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..results.schema import Point
from ..slo.objective import ChosenObjective, Objective, keeps, wider_objective

# Every time by half at least: after twelve times a limit is two orders of magnitude above what was reached first.
_MOST_TIMES = 12

Find = Callable[[Objective], dict[str, Any]]
"""Searches a model's rate within an objective; the fields of ModelResult that say what was found."""


class MeasuredModel(Protocol):
    """What the search measured of a model by the present objective."""

    @property
    def model(self) -> str: ...
    @property
    def points(self) -> Sequence[Point]: ...
    def forget_points(self) -> None:
        """Forget the points: they were judged by an objective that no longer counts."""


def find_widening(
    measured: MeasuredModel, picked: ChosenObjective, unloaded_ms: float, find: Find, say: Callable[[str], None]
) -> tuple[ChosenObjective, dict[str, Any]]:
    """Search within the picked objective, and within wider ones until one is kept; the last one, and what was found.

    `unloaded_ms` is the model's latency with one request in flight. A server that fails more requests than the
    objective allows, at its lowest rate, keeps no limit: then that is said, also as the objective's source.
    """
    chosen, found = picked, find(picked.objective)
    for _ in range(_MOST_TIMES):
        if found["rate_per_s"] is not None:
            return chosen, found
        lowest = found["lowest_tried_per_s"]
        points = [p for p in measured.points if p.rate_per_s == lowest and not p.invalid]
        requests, errors = sum(p.requests for p in points), sum(p.errors for p in points)
        if points and not keeps(errors, requests, chosen.objective.error_share):
            return _without(
                chosen, measured.model, f"fails {errors} of {requests} requests at {lowest:.1f} req/s", say
            ), found
        reached_ms = max(
            (p.objective_quantile_ms for p in points if not math.isnan(p.objective_quantile_ms)), default=0.0
        )
        missed, chosen = chosen, wider_objective(chosen.objective, measured.model, unloaded_ms, reached_ms)
        why = f"{missed.objective.quantile_name} was {reached_ms:.0f} ms" if points else "the load generator lagged"
        say(f"  {missed.objective} is not met at {lowest:.1f} req/s, the lowest rate: {why}; wider: {chosen.objective}")
        measured.forget_points()
        found = find(chosen.objective)
    if found["rate_per_s"] is None:
        chosen = _without(chosen, measured.model, f"does not keep even {chosen.objective}", say)
    return chosen, found


def _without(chosen: ChosenObjective, model: str, why: str, say: Callable[[str], None]) -> ChosenObjective:
    say(f"  {model} {why}: no wider limit helps, and without its rate there are no ratios")
    return replace(chosen, source=f"{chosen.source}; {model} {why}, so there are no ratios")
