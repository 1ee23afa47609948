"""A fleet over a trace: second by second the load, the autoscaler, the Pods, who is late, and what is paid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..capacity.queue_model import Floats
from ..load.traffic.trace import Trace
from .autoscaler import Autoscaler, Counts, Pods
from .balance import Load
from .cluster import Cluster
from .pod_table import BUSY, LATE, REFUSED, WAIT, PodTable
from .prometheus import Counters, Prometheus
from .settings import FleetPlan, ScalingSettings

WORST_S = 600.0
"""The length of the worst time that is looked for: ten minutes."""


@dataclass(frozen=True)
class PricedPod:
    """A Pod's table, what it serves within the objective, and what its node costs in US dollars an hour."""

    table: PodTable
    capacity_per_s: float
    usd_per_hour: float


@dataclass(frozen=True)
class Outcome:
    """What became of every step; all shapes [steps].

    `late` requests were answered after the limit or not at all, `shed` ones were of tier 2 and held back, and are not
    among the late. `pods` serve, `present` are those that were wanted and that there is room for or not.
    """

    step_s: float
    rates: Floats
    late: Floats
    shed: Floats
    pods: Floats
    present: Floats
    nodes: Floats
    usd_per_hour: float
    reclaimed: int = 0

    @property
    def requests(self) -> float:
        """Requests that were not shed."""
        return float(self.rates.sum() * self.step_s - self.shed.sum())

    @cached_property
    def late_share(self) -> float:
        """Share of them that was late, over the whole trace."""
        return float(self.late.sum() / max(self.requests, 1e-9))

    @cached_property
    def worst_share(self) -> float:
        """The same in the worst ten minutes, or over a trace that is shorter."""
        asked = self.rates * self.step_s - self.shed
        steps = min(len(asked), max(1, round(WORST_S / self.step_s)))
        late, total = (np.convolve(values, np.ones(steps), "valid") for values in (self.late, asked))
        return float((late / np.maximum(total, 1e-9)).max())

    @property
    def usd(self) -> float:
        """What all nodes cost."""
        return float(self.nodes.sum() * self.step_s / 3600 * self.usd_per_hour)

    @property
    def usd_per_million(self) -> float:
        """What a million requests cost at this trace."""
        return self.usd / max(self.requests, 1e-9) * 1e6


def simulate(trace: Trace, pod: PricedPod, plan: FleetPlan, seed: int = 1) -> Outcome:
    """Simulate a fleet in steps of the Pod's table.

    At the start as many Pods serve as the trace's first minute needs. The chart's windows, polls and periods are kept
    to a step.
    """
    (outcome,) = simulate_all(trace, pod, (plan,), seed)
    return outcome


def simulate_all(trace: Trace, pod: PricedPod, plans: Sequence[FleetPlan], seed: int = 1) -> list[Outcome]:
    """The same for several plans, which differ in their scaling and nodes alone: a step of all takes little longer
    than one's."""
    return _Run(trace, pod, plans, seed).run()


class _Run:
    """One trace and every plan's fleet; arrays are of shape [fleets], or [steps, fleets] for every step."""

    def __init__(self, trace: Trace, pod: PricedPod, plans: Sequence[FleetPlan], seed: int) -> None:
        self._pod, self._plans, self._step_s = pod, plans, pod.table.step_s
        self._rates = trace.at(self._step_s)
        self._tier_2_share = plans[0].requests.tier_2_share
        self._clusters = [Cluster(plan.start_up, plan.nodes, seed) for plan in plans]
        self._fixed = np.array([plan.scaling.mode == "fixed" for plan in plans])
        scaling = [plan.scaling for plan in plans]
        self._autoscaler = Autoscaler(scaling, pod.capacity_per_s, plans[0].sync_s)
        # A window that is shorter than a step would never hold two scrapes, and the autoscaler would see nothing.
        self._prometheus = Prometheus([max(one.window_s, 1.001 * self._step_s) for one in scaling])
        self._pods, self._gone, self._present, self._nodes = (np.zeros(len(plans), dtype=np.int64) for _ in range(4))
        self._due_s = [0.0] * len(plans)
        for number, (one, cluster) in enumerate(zip(scaling, self._clusters, strict=True)):
            cluster.begin(self._first(one))
            self._look_at(number)
        self._load = Load(plans[0].requests, pod.table, self._pods)
        self._counted, self._counted_steps = np.zeros((4, len(plans))), 0
        self._kept = _Kept(len(self._rates), len(plans))

    def _first(self, scaling: ScalingSettings) -> int:
        if scaling.mode == "fixed":
            return scaling.replicas
        first = float(self._rates[: max(1, round(60 / self._step_s))].mean())
        share = (scaling.rate_target_percent or 80) / 100
        return int(np.clip(np.ceil(first / (self._pod.capacity_per_s * share)), scaling.least, scaling.most))

    def run(self) -> list[Outcome]:
        """Every plan's outcome."""
        kept, first = self._kept, self._plans[0]
        scrape_at, sync_at, scales = 0.0, first.sync_s, not self._fixed.all()
        step = 0
        while step < len(self._rates):
            now_s = step * self._step_s
            if self._next_due_s <= now_s:
                self._advance(now_s)
            looks = min(scrape_at, sync_at) if not self._autoscaler.may_sleep else now_s
            steps = slice(step, self._until(step, min(self._next_due_s, looks if scales else math.inf)))
            kept.pods[steps], kept.present[steps], kept.nodes[steps] = self._pods, self._present, self._nodes
            self._serve(steps)
            step = steps.stop
            now_s = step * self._step_s
            if not scales:
                continue
            if now_s >= scrape_at:
                self._prometheus.scrape(Counters(now_s, *self._count(step)))
                scrape_at = now_s + first.scrape_s
            if self._autoscaler.may_sleep:
                active = bool(self._rates[step - 1] > 0)
                self._resize(self._autoscaler.poll(now_s, self._present, active), now_s)
            if now_s >= sync_at:
                seen = self._prometheus.ask(now_s)
                self._resize(self._autoscaler.sync(now_s, Pods(self._present, self._pods), seen), now_s)
                sync_at = now_s + first.sync_s
        return [
            kept.outcome(number, self._rates, (self._step_s, self._pod.usd_per_hour), cluster.reclaimed)
            for number, cluster in enumerate(self._clusters)
        ]

    def _until(self, step: int, at_s: float) -> int:
        """The first step after this one that begins at a moment or later; of all before it the Pods are the same."""
        last = len(self._rates)
        if at_s >= last * self._step_s:
            return last
        return step + 1 if at_s <= (step + 1) * self._step_s else math.ceil(at_s / self._step_s)

    def _advance(self, now_s: float) -> None:
        """The clusters in which something is due."""
        for number, due_s in enumerate(self._due_s):
            if due_s <= now_s:
                self._clusters[number].advance(now_s, self._step_s)
                self._look_at(number)

    def _resize(self, wanted: Counts, now_s: float) -> None:
        for number in np.flatnonzero((wanted != self._present) & ~self._fixed).tolist():
            self._clusters[number].resize(int(wanted[number]), now_s)
            self._look_at(number)

    def _look_at(self, number: int) -> None:
        """Note what has become of a cluster."""
        cluster = self._clusters[number]
        self._pods[number], self._gone[number] = cluster.serving, cluster.gone
        self._present[number], self._nodes[number] = cluster.present, sum(cluster.nodes)
        self._due_s[number] = cluster.due_s
        self._next_due_s, self._changed = min(self._due_s), True

    def _serve(self, steps: slice) -> None:
        """Note the requests of these steps that the Pods get, those that nobody does, those of tier 2 that are shed,
        and what becomes of the first."""
        kept, pods = self._kept, self._pods
        if self._changed:
            self._load.resize(pods)
            self._all_reach = bool((pods > 0).all()) and not self._gone.any() and not self._tier_2_share
            self._changed = False
        asked = self._rates[steps, None] * self._step_s
        if self._all_reach:
            kept.accepted[steps] = asked
        else:
            # Nobody has noticed yet that a zone is gone: its Pods' share of the requests gets no answer. Nobody gets
            # one from no Pod.
            nobody = np.where(pods > 0, asked * self._gone / np.maximum(pods + self._gone, 1), asked)
            reached = asked - nobody
            room = self._pod.capacity_per_s * pods * self._step_s
            shed = np.minimum(reached * self._tier_2_share, np.maximum(0.0, reached - room))
            kept.unanswered[steps], kept.shed[steps], kept.accepted[steps] = nobody, shed, reached - shed
        kept.happened[steps] = self._load.advance(kept.accepted[steps] / self._step_s)

    def _count(self, steps: int) -> Floats:
        """The Pods' counters after so many steps, in the order of `Counters`; shape [4, fleets]."""
        kept, new = self._kept, slice(self._counted_steps, steps)
        happened, pods_s = kept.happened[new], kept.pods[new] * self._step_s
        answered = kept.accepted[new] * (1 - happened[:, :, REFUSED])
        counts = (answered, answered * happened[:, :, WAIT], pods_s, pods_s * happened[:, :, BUSY])
        # A new array, not the old one changed: scrapes keep it.
        self._counted, self._counted_steps = self._counted + np.array([part.sum(axis=0) for part in counts]), steps
        return self._counted


class _Kept:
    """What became of every step; arrays of shape [steps, fleets], `happened` with four shares more (see `PodTable`)."""

    def __init__(self, steps: int, fleets: int) -> None:
        self.pods, self.present, self.nodes, self.accepted, self.unanswered, self.shed = (
            np.zeros((steps, fleets)) for _ in range(6)
        )
        self.happened = np.zeros((steps, fleets, 4))

    def outcome(self, number: int, rates: Floats, priced: tuple[float, float], reclaimed: int) -> Outcome:
        """One fleet's; `priced` is the length of a step in seconds and a node's US dollars an hour."""
        late = self.unanswered[:, number] + self.accepted[:, number] * self.happened[:, number, LATE]
        shed, pods, present, nodes = (
            values[:, number].copy() for values in (self.shed, self.pods, self.present, self.nodes)
        )
        step_s, usd_per_hour = priced
        return Outcome(step_s, rates, late, shed, pods, present, nodes, usd_per_hour, reclaimed)
