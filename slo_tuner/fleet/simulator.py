"""Simulates settings for one question: roughly or exactly, many side by side, and each of them once."""

import math
from collections.abc import Sequence

from ..load.traffic.trace import Trace
from .headroom import busiest_s, smoothed
from .pod_queue import PodModel
from .pod_table import PodTable, TableSpec, aligned, make_table
from .question import Question
from .search import Promise, usual_leasts
from .settings import FleetPlan, Nodes, ScalingSettings
from .simulate import Outcome, PricedPod, simulate_all

_ROUGH_S, _ROUGH_STEPS, _EXACT_STEPS = 15.0, 6000, 100_000
_ZONE_LOST_S = 1800.0
# Requests of each pair of a table: of the Pod that settings are found for, and of others that are compared with it.
_SAMPLES, _FEW_SAMPLES = 6000, 1500


class Simulator:
    """The question's Pod, whose queue is played once, in long steps (`rough`) and in short ones (`exact`)."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._outcomes: dict[tuple[float, ScalingSettings, Nodes], Outcome] = {}
        measured = question.measured
        table = self._table(measured.pod, measured.capacity_per_s, 1.0, _SAMPLES)
        self.exact = self._priced(coarse(table, question.trace, _EXACT_STEPS, 0.0))
        self.rough = self._priced(coarse(table, question.trace, _ROUGH_STEPS, _ROUGH_S))

    def outcomes(self, pod: PricedPod, scaling: Sequence[ScalingSettings], nodes: Nodes | None = None) -> list[Outcome]:
        """What becomes of the trace with each of the settings; `pod` is `rough` or `exact`."""
        nodes = nodes or self._question.nodes
        keys = [(pod.table.step_s, one, nodes) for one in scaling]
        new = {key: self._plan(key[1], nodes) for key in keys if key not in self._outcomes}
        if new:
            found = simulate_all(self._question.trace, pod, list(new.values()))
            self._outcomes.update(zip(new, found, strict=True))
        return [self._outcomes[key] for key in keys]

    def with_zone_lost(self, pod: PricedPod, scaling: Sequence[ScalingSettings]) -> list[Outcome]:
        """The same when the zone with most Pods is lost at the busiest time."""
        at_s = busiest_s(self._question.trace)
        nodes = self._question.nodes.model_copy(update={"lost_from_s": at_s, "lost_until_s": at_s + _ZONE_LOST_S})
        return self.outcomes(pod, scaling, nodes)

    def with_another(self, other: PricedPod, scaling: ScalingSettings) -> Outcome:
        """The trace with other Pods (see `other`), as many as serve the same, up to 20,000 of them in a zone.

        Their fewest is what costs the least and keeps the objective, over all and in the worst ten minutes: as many as
        serve the same, or what the load's quietest, median, busy or busiest minute needs of them, one a zone at least.
        Fast Pods of which one a zone is more than enough would else have slow ones stand idle in their proportion.
        """
        question = self._question
        times = question.measured.capacity_per_s / other.capacity_per_s
        nodes = question.nodes.model_copy(update={"per_zone": 20_000})
        needed = usual_leasts(smoothed(question.trace, 60.0) / other.capacity_per_s, nodes.zones)
        most = max(1, math.ceil(scaling.most * times))
        leasts = {max(1, round(scaling.least * times)), *needed}
        plans = [
            self._plan(scaling.model_copy(update={"least": min(least, most), "most": most}), nodes)
            for least in sorted(leasts)
        ]
        promise = Promise(question.objective.miss_share, question.allowed_worst_share)
        outcomes = simulate_all(question.trace, other, plans)
        return min(outcomes, key=lambda outcome: (max(1.0, promise.excess(outcome)), outcome.usd))

    def other(self, pod: PodModel, capacity_per_s: float, usd_per_hour: float, slower: float = 1.0) -> PricedPod:
        """Another Pod in long steps; `slower` is how many times longer its limit is."""
        table = self._table(pod, capacity_per_s, slower, _FEW_SAMPLES)
        return PricedPod(coarse(table, self._question.trace, _ROUGH_STEPS, _ROUGH_S), capacity_per_s, usd_per_hour)

    def _table(self, pod: PodModel, capacity_per_s: float, slower: float, samples: int) -> PodTable:
        question = self._question
        limit_s = question.objective.limit_ms / 1000
        table = make_table(pod, TableSpec(limit_s * slower, question.patience_s * slower, samples))
        return aligned(table, capacity_per_s, question.objective.miss_share)

    def _priced(self, table: PodTable) -> PricedPod:
        return PricedPod(table, self._question.measured.capacity_per_s, self._question.offer.usd_per_hour)

    def _plan(self, scaling: ScalingSettings, nodes: Nodes) -> FleetPlan:
        question = self._question
        return FleetPlan(scaling=scaling, start_up=question.start_up, nodes=nodes, requests=question.requests)


def coarse(table: PodTable, trace: Trace, steps: int, step_s: float) -> PodTable:
    """The table in steps of `step_s`, or of as many seconds as make `steps` of the trace at most."""
    wanted = max(step_s, trace.duration_s / steps)
    return table.coarser(max(1, math.ceil(wanted / table.step_s - 1e-9)))
