"""A fleet over a trace: second by second the load, the autoscaler, the Pods, who is late, and what is paid."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..capacity.queue_model import Floats
from ..load.traffic.trace import Trace
from .autoscaler import Autoscaler, Counters, Pods, Prometheus
from .balance import Load
from .cluster import Cluster
from .pod_table import PodTable
from .settings import FleetPlan

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
    return _Run(trace, pod, plan, seed).run()


class _Run:
    def __init__(self, trace: Trace, pod: PricedPod, plan: FleetPlan, seed: int) -> None:
        self._pod, self._plan, self._step_s = pod, plan, pod.table.step_s
        self._rates = trace.at(self._step_s)
        self._cluster = Cluster(plan.start_up, plan.nodes, seed)
        self._autoscaler = Autoscaler(plan.scaling, pod.capacity_per_s)
        self._prometheus = Prometheus(plan.scaling.window_s)
        self._cluster.begin(self._first())
        self._load = Load.of(plan.requests, self._cluster.serving, pod.table)
        self._served = self._queued_s = self._pods_s = self._busy_s = 0.0

    def _first(self) -> int:
        scaling = self._plan.scaling
        if scaling.mode == "fixed":
            return scaling.replicas
        first = float(self._rates[: max(1, round(60 / self._step_s))].mean())
        share = (scaling.rate_target_percent or 80) / 100
        return int(np.clip(np.ceil(first / (self._pod.capacity_per_s * share)), scaling.least, scaling.most))

    def run(self) -> Outcome:
        steps, step_s, cluster = len(self._rates), self._step_s, self._cluster
        late, shed, pods, present, nodes = (np.zeros(steps) for _ in range(5))
        scrape_at, sync_at, poll_at = 0.0, self._plan.sync_s, 0.0
        for step, rate in enumerate(self._rates.tolist()):
            now_s = step * step_s
            cluster.advance(now_s, step_s)
            pods[step], present[step], nodes[step] = cluster.serving, cluster.present, sum(cluster.nodes)
            late[step], shed[step] = self._serve(rate)
            now_s += step_s
            if self._plan.scaling.mode == "fixed":
                continue
            if now_s >= scrape_at:
                self._prometheus.scrape(Counters(now_s, self._served, self._queued_s, self._pods_s, self._busy_s))
                scrape_at = now_s + self._plan.scrape_s
            if now_s >= poll_at:
                self._resize(self._autoscaler.poll(now_s, cluster.present, rate > 0), now_s)
                poll_at = now_s + self._plan.scaling.polling_s
            if now_s >= sync_at:
                seen = self._prometheus.ask(now_s)
                self._resize(self._autoscaler.sync(now_s, Pods(cluster.present, cluster.serving), seen), now_s)
                sync_at = now_s + self._plan.sync_s
        return Outcome(step_s, self._rates, late, shed, pods, present, nodes, self._pod.usd_per_hour, cluster.reclaimed)

    def _resize(self, wanted: int, now_s: float) -> None:
        if wanted != self._cluster.present:
            self._cluster.resize(wanted, now_s)

    def _serve(self, rate: float) -> tuple[float, float]:
        """Requests that were late, and those of tier 2 that were shed, in this step."""
        cluster, step_s = self._cluster, self._step_s
        serving = cluster.serving
        asked = rate * step_s
        if serving == 0:
            self._load = self._load.resized(0)
            return asked, 0.0
        self._load = self._load.resized(serving)
        # Nobody has noticed yet that a zone is gone: its Pods' share of the requests gets no answer.
        unanswered = asked * cluster.gone / (serving + cluster.gone)
        reached = asked - unanswered
        room = self._pod.capacity_per_s * serving * step_s
        tier_2 = reached * self._plan.requests.tier_2_share
        shed = min(tier_2, max(0.0, reached - room))
        self._load, happened = self._load.advanced((reached - shed) / step_s)
        answered = (reached - shed) * (1 - happened.refused)
        self._served += answered
        self._queued_s += answered * happened.wait_s
        self._pods_s += serving * step_s
        self._busy_s += serving * step_s * happened.busy
        return unanswered + (reached - shed) * happened.late, shed
