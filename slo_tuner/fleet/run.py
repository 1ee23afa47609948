"""One run of `fleet`: the Pod's table, the search, and everything that follows from its choices."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from command_line.errors import UsageError

from ..cost.prices import Offer, usd_per_million
from ..load.traffic.trace import Trace
from ..slo.objective import Objective
from .headroom import busiest_s, headroom, reaction_s, smoothed, steepest_rise_s
from .make_record import facts, series, trade
from .measured import Measured, scaled
from .pod_queue import PodModel
from .pod_table import PodTable, TableSpec, aligned, make_table
from .record import Choice, ChoiceName, FleetRecord, PublishedRatio, VariantCost
from .search import Load, Promise, Search, Tried, candidates
from .settings import FleetPlan, Nodes, Requests, ScalingSettings, StartUp
from .simulate import Outcome, PricedPod, simulate

_ROUGH_S, _ROUGH_STEPS, _EXACT_STEPS = 15.0, 6000, 100_000
_SERIES, _BURST_BEFORE_S, _BURST_S = 480, 180.0, 1500.0
_ZONE_LOST_S = 1800.0
# Requests of each pair of a table: of the Pod that settings are found for, and of others that are compared with it.
_SAMPLES, _FEW_SAMPLES = 6000, 1500
_PUBLISHED = 163.0
"""How many times less an inference costs on n1-standard-4 with a T4 than on n1-standard-96, as Google published it."""
PUBLISHED_MACHINES = ("n1-standard-96", "n1-standard-4+T4")


@dataclass(frozen=True)
class Question:
    """What is asked: a measured Pod on a machine, the trace, the objective, and everything around the Pods.

    `assumed` names the parts of `start_up` that nobody has measured.
    """

    measured: Measured
    offer: Offer
    trace: Trace
    objective: Objective
    start_up: StartUp
    assumed: tuple[str, ...]
    nodes: Nodes
    requests: Requests
    most: int
    allowed_worst_share: float
    patience_s: float


@dataclass(frozen=True)
class Variant:
    """Another measured Pod, on its machine, to compare with."""

    measured: Measured
    offer: Offer


def check_possible(trace: Trace, capacity_per_s: float, most: int) -> None:
    """UsageError, which says from how many Pods on it could, where so many can't serve the trace's busiest minute."""
    needed = math.ceil(trace.peak_per_s / capacity_per_s - 1e-9)
    if needed > most:
        raise UsageError(
            "most-pods",
            most,
            f"the busiest minute asks for {trace.peak_per_s:.4g} requests/s, and {most} Pods serve "
            f"{most * capacity_per_s:.4g}: it can be served from {needed} Pods on",
        )


class Fleet:
    """Answers one question; `say` is told what goes on."""

    def __init__(self, question: Question, say: Callable[[str], None]) -> None:
        self._question, self._say = question, say
        self._outcomes: dict[tuple[float, ScalingSettings, Nodes], Outcome] = {}
        measured = question.measured
        say(f"{measured.model}: playing the queue of one Pod at {measured.capacity_per_s:.4g} requests/s")
        table = self._made(measured.pod, measured.capacity_per_s, 1.0, _SAMPLES)
        self._exact = self._pod(table, _EXACT_STEPS, 0.0)
        self._rough = self._pod(table, _ROUGH_STEPS, _ROUGH_S)

    def answer(self, variants: Sequence[Variant], notes: Sequence[str], prices: Sequence[Offer]) -> FleetRecord:
        """The choices, the frontier around them, and the variants at the trace."""
        question, trace = self._question, self._question.trace
        minutes = smoothed(trace, 60.0)
        load = Load(
            minutes / question.measured.capacity_per_s, question.objective.limit_ms, question.most, question.nodes.zones
        )
        settings = candidates(load)
        self._say(f"{len(settings)} settings, simulated in steps of {self._rough.table.step_s:g} s")
        search = Search(
            settings,
            [self._simulated(self._rough, one) for one in settings],
            lambda one: self._simulated(self._exact, one),
        )
        allowed = question.objective.miss_share
        usual, always = Promise(allowed), Promise(allowed, question.allowed_worst_share)
        self._say(f"the best of them, simulated in steps of {self._exact.table.step_s:g} s")
        # The strictest first: what keeps it may also be the cheapest that keeps less.
        safe = self._safe(search, always)
        balanced, thrifty = search.cheapest(always), search.cheapest(usual)
        chosen = [
            self._choice("thrifty", thrifty, usual),
            self._choice("balanced", balanced, always),
            safe,
        ]
        fixed = self._fixed(always)
        frontier = [trade(search, number) for number in range(len(settings))]
        return FleetRecord(
            model=question.measured.model,
            capacity_per_s=question.measured.capacity_per_s,
            machine=question.offer.name,
            usd_per_hour=question.offer.usd_per_hour,
            prices_as_of=question.offer.as_of.isoformat(),
            trace=facts(trace),
            start_up=question.start_up,
            assumed=question.assumed,
            nodes=question.nodes,
            requests=question.requests,
            allowed_share=allowed,
            allowed_worst_share=question.allowed_worst_share,
            step_s=self._exact.table.step_s,
            choices=(*chosen, fixed),
            frontier=tuple(frontier),
            headroom=tuple(headroom(trace, balanced.scaling)),
            variants=tuple(self._variant(one, balanced.scaling) for one in variants),
            published=self._published(balanced.scaling, prices),
            notes=tuple(notes),
        )

    def _made(self, pod: PodModel, capacity_per_s: float, slower: float, samples: int = _FEW_SAMPLES) -> PodTable:
        question = self._question
        limit_s = question.objective.limit_ms / 1000
        table = make_table(pod, TableSpec(limit_s * slower, question.patience_s * slower, samples))
        return aligned(table, capacity_per_s, question.objective.miss_share)

    def _pod(self, table: PodTable, steps: int, step_s: float) -> PricedPod:
        return PricedPod(
            coarse(table, self._question.trace, steps, step_s),
            self._question.measured.capacity_per_s,
            self._question.offer.usd_per_hour,
        )

    def _plan(self, scaling: ScalingSettings, nodes: Nodes | None = None) -> FleetPlan:
        question = self._question
        return FleetPlan(
            scaling=scaling, start_up=question.start_up, nodes=nodes or question.nodes, requests=question.requests
        )

    def _simulated(self, pod: PricedPod, scaling: ScalingSettings, nodes: Nodes | None = None) -> Outcome:
        """The question's Pod in steps of a table of it; each plan is simulated once."""
        plan = self._plan(scaling, nodes)
        key = (pod.table.step_s, plan.scaling, plan.nodes)
        if key not in self._outcomes:
            self._outcomes[key] = simulate(self._question.trace, pod, plan)
        return self._outcomes[key]

    def _with_zone_lost(self, pod: PricedPod, scaling: ScalingSettings) -> Outcome:
        at_s = busiest_s(self._question.trace)
        nodes = self._question.nodes.model_copy(update={"lost_from_s": at_s, "lost_until_s": at_s + _ZONE_LOST_S})
        return self._simulated(pod, scaling, nodes)

    def _safe(self, search: Search, always: Promise) -> Choice:
        """The cheapest settings that keep the worst ten minutes even when a zone is lost at the busiest time."""
        if self._question.nodes.zones == 1:
            return self._choice("safe", search.cheapest(always), always)
        both = list(zip(search.candidates, search.rough, strict=True))
        # What misses by far with all zones will not keep it with fewer.
        settings = [one for one, outcome in both if always.excess(outcome) <= 2] or list(search.candidates)
        lost = Search(
            settings,
            [self._with_zone_lost(self._rough, one) for one in settings],
            lambda one: self._with_zone_lost(self._exact, one),
        )
        tried = lost.cheapest(always)
        outcome = self._simulated(self._exact, tried.scaling)
        search.found[search.candidates.index(tried.scaling)] = outcome
        return self._choice("safe", Tried(tried.scaling, outcome), always, tried.outcome)

    def _fixed(self, always: Promise) -> Choice:
        """The fewest Pods that keep the promise without an autoscaler."""
        low, high = 0, self._question.most
        while high - low > 1:
            middle = (low + high) // 2
            kept = always.kept(self._simulated(self._rough, ScalingSettings(mode="fixed", replicas=middle)))
            low, high = (low, middle) if kept else (middle, high)
        scaling = ScalingSettings(mode="fixed", replicas=high)
        return self._choice("fixed", Tried(scaling, self._simulated(self._exact, scaling)), always)

    def _choice(self, name: ChoiceName, tried: Tried, promise: Promise, lost: Outcome | None = None) -> Choice:
        question, outcome = self._question, tried.outcome
        if lost is None and question.nodes.zones > 1:
            lost = self._with_zone_lost(self._exact, tried.scaling)
        within = question.start_up.new_node_s + reaction_s(tried.scaling)
        begin = max(0.0, steepest_rise_s(question.trace, within) - _BURST_BEFORE_S)
        held = promise.kept(outcome) and (name != "safe" or lost is None or promise.kept(lost))
        steps = len(outcome.rates)
        every = max(1, math.ceil(steps / _SERIES))
        first = int(begin / outcome.step_s)
        last = min(steps, first + round(_BURST_S / outcome.step_s))
        self._say(
            f"{name}: {tried.scaling}: {100 * outcome.late_share:.2g} % late, {100 * outcome.worst_share:.2g} % in the "
            f"worst ten minutes, ${outcome.usd:.2f}"
        )
        return Choice(
            name=name,
            scaling=tried.scaling,
            kept=held,
            late_share=outcome.late_share,
            worst_share=outcome.worst_share,
            zone_lost_share=lost.worst_share if lost is not None else None,
            shed_share=float(outcome.shed.sum() / max(outcome.rates.sum() * outcome.step_s, 1e-9)),
            usd=outcome.usd,
            usd_per_million=outcome.usd_per_million,
            least_pods=int(outcome.pods.min()),
            mean_pods=float(outcome.pods.mean()),
            most_pods=int(outcome.pods.max()),
            reclaimed=outcome.reclaimed,
            series=series(outcome, 0, steps, every),
            burst=series(outcome, first, last, max(1, round(5 / outcome.step_s))),
        )

    def _variant(self, variant: Variant, scaling: ScalingSettings) -> VariantCost:
        measured, offer = variant.measured, variant.offer
        if (measured, offer) == (self._question.measured, self._question.offer):
            outcome = self._simulated(self._rough, scaling)
        else:
            outcome = self._alike(measured.pod, measured.capacity_per_s, offer, scaling, 1.0)
        return VariantCost(
            model=measured.model,
            machine=offer.name,
            capacity_per_s=measured.capacity_per_s,
            usd_per_million_full=usd_per_million(offer.usd_per_hour, measured.capacity_per_s),
            usd_per_million_trace=outcome.usd_per_million,
            worst_share=outcome.worst_share,
            mean_pods=float(outcome.pods.mean()),
        )

    def _alike(self, pod: PodModel, capacity: float, offer: Offer, scaling: ScalingSettings, slower: float) -> Outcome:
        """The trace with other Pods, as many as serve the same, up to 20,000 of them."""
        times = self._question.measured.capacity_per_s / capacity
        nodes = self._question.nodes.model_copy(update={"per_zone": 20_000})
        least, most = max(1, round(scaling.least * times)), max(1, math.ceil(scaling.most * times))
        other = scaling.model_copy(update={"least": least, "most": most})
        table = coarse(self._made(pod, capacity, slower), self._question.trace, _ROUGH_STEPS, _ROUGH_S)
        return simulate(self._question.trace, PricedPod(table, capacity, offer.usd_per_hour), self._plan(other, nodes))

    def _published(self, scaling: ScalingSettings, offers: Sequence[Offer]) -> PublishedRatio | None:
        """The published ratio at the trace, where both machines have a price and the Pod is the GPU machine's.

        The other Pod is the same one, slower in the proportion that the ratio and the prices say, with a limit that is
        as much longer: the published comparison had none.
        """
        if len(offers) != 2 or self._question.offer.name != offers[1].name:
            return None
        cpu, gpu = offers
        slower = _PUBLISHED * gpu.usd_per_hour / cpu.usd_per_hour
        measured = self._question.measured
        pod = PodModel(
            measured.pod.configuration, scaled(measured.pod.service, slower), measured.pod.outside_s * slower
        )
        rough = self._simulated(self._rough, scaling)
        other = self._alike(pod, measured.capacity_per_s / slower, cpu, scaling, slower)
        return PublishedRatio(
            full_load=_PUBLISHED,
            trace=other.usd_per_million / rough.usd_per_million,
            cpu_machine=cpu.name,
            gpu_machine=gpu.name,
        )


def coarse(table: PodTable, trace: Trace, steps: int, step_s: float) -> PodTable:
    """The table in steps of `step_s`, or of as many seconds as make `steps` of the trace at most."""
    wanted = max(step_s, trace.duration_s / steps)
    return table.coarser(max(1, math.ceil(wanted / table.step_s - 1e-9)))
