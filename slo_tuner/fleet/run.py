"""One run of `fleet`: the Pod's table, the search, and everything that follows from its choices."""

import math
from collections.abc import Callable, Sequence

from ..cost.prices import Offer, usd_text
from ..slo.numerals import percent
from .headroom import headroom, reaction_s, smoothed, steepest_rise_s
from .make_record import facts, series, trade
from .question import Question, Variant
from .record import Choice, ChoiceName, FleetRecord
from .search import Load, Promise, Search, Tried, candidates
from .settings import ScalingSettings
from .simulate import Outcome
from .simulator import Simulator
from .variants import published_ratio, variant_cost

# Numbers of fixed Pods that are simulated side by side, which takes little longer than one.
_AT_ONCE = 3
_SERIES, _BURST_BEFORE_S, _BURST_S = 480, 180.0, 1500.0


class Fleet:
    """Answers one question; `say` is told what goes on."""

    def __init__(self, question: Question, say: Callable[[str], None]) -> None:
        self._question, self._say = question, say
        measured = question.measured
        say(f"{measured.model}: playing the queue of one Pod at {measured.capacity_per_s:.4g} requests/s")
        self._simulator = Simulator(question)

    def answer(self, variants: Sequence[Variant], notes: Sequence[str], prices: Sequence[Offer]) -> FleetRecord:
        """The choices, the frontier around them, and the variants at the trace."""
        question, trace, simulator = self._question, self._question.trace, self._simulator
        load = Load(
            smoothed(trace, 60.0) / question.measured.capacity_per_s,
            question.objective.limit_ms,
            question.most,
            question.nodes.zones,
        )
        allowed = question.objective.miss_share
        usual, always = Promise(allowed), Promise(allowed, question.allowed_worst_share)
        fixed = self._fixed(always)
        settings = candidates(load, fixed.scaling.replicas)
        self._say(f"{len(settings)} settings, simulated in steps of {simulator.rough.table.step_s:g} s")
        search = Search(settings, simulator.outcomes(simulator.rough, settings), self._exactly)
        self._say(f"the best of them, simulated in steps of {simulator.exact.table.step_s:g} s")
        # The strictest first: what keeps it may also be the cheapest that keeps less.
        safe = self._safe(search, always)
        balanced, thrifty = search.cheapest(always), search.cheapest(usual)
        if question.nodes.zones > 1:
            simulator.with_zone_lost(simulator.exact, [one.scaling for one in (thrifty, balanced, safe, fixed)])
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
            step_s=simulator.exact.table.step_s,
            choices=(
                self._choice("thrifty", thrifty, usual),
                self._choice("balanced", balanced, always),
                self._choice("safe", safe, always),
                self._choice("fixed", fixed, always),
            ),
            frontier=tuple(trade(search, number) for number in range(len(settings))),
            headroom=tuple(headroom(trace, balanced.scaling)),
            variants=tuple(variant_cost(question, simulator, one, balanced.scaling) for one in variants),
            published=published_ratio(question, simulator, balanced.scaling, prices),
            notes=tuple(notes),
        )

    def _exactly(self, scaling: Sequence[ScalingSettings]) -> list[Outcome]:
        return self._simulator.outcomes(self._simulator.exact, scaling)

    def _safe(self, search: Search, always: Promise) -> Tried:
        """The cheapest settings that keep the worst ten minutes even when a zone is lost at the busiest time."""
        if self._question.nodes.zones == 1:
            return search.cheapest(always)
        simulator = self._simulator
        both = list(zip(search.candidates, search.rough, strict=True))
        # What misses by far with all zones will not keep it with fewer.
        settings = [one for one, outcome in both if always.excess(outcome) <= 2] or list(search.candidates)
        lost = Search(
            settings,
            simulator.with_zone_lost(simulator.rough, settings),
            lambda some: simulator.with_zone_lost(simulator.exact, some),
        )
        scaling = lost.cheapest(always).scaling
        (outcome,) = self._exactly([scaling])
        search.found[search.candidates.index(scaling)] = outcome
        return Tried(scaling, outcome)

    def _fixed(self, always: Promise) -> Tried:
        """The fewest Pods that keep the promise without an autoscaler; the most there may be where none do.

        Roughly found, and then made certain of in short steps.
        """
        simulator = self._simulator
        low, high = 0, self._question.most
        while high - low > 1:
            middle = (low + high) // 2
            (outcome,) = simulator.outcomes(simulator.rough, [ScalingSettings(mode="fixed", replicas=middle)])
            low, high = (low, middle) if always.kept(outcome) else (middle, high)
        counts, step = [high], 1
        while counts[-1] < self._question.most:
            counts.append(min(self._question.most, counts[-1] + step))
            step *= 2
        for first in range(0, len(counts), _AT_ONCE):
            some = counts[first : first + _AT_ONCE]
            scaling = [ScalingSettings(mode="fixed", replicas=count) for count in some]
            found = [Tried(one, outcome) for one, outcome in zip(scaling, self._exactly(scaling), strict=True)]
            if kept := [tried for tried in found if always.kept(tried.outcome)]:
                return kept[0]
        return found[-1]

    def _choice(self, name: ChoiceName, tried: Tried, promise: Promise) -> Choice:
        question, outcome, lost = self._question, tried.outcome, None
        if question.nodes.zones > 1:
            (lost,) = self._simulator.with_zone_lost(self._simulator.exact, [tried.scaling])
        within = question.start_up.new_node_s + reaction_s(tried.scaling)
        begin = max(0.0, steepest_rise_s(question.trace, within) - _BURST_BEFORE_S)
        held = promise.kept(outcome) and (name != "safe" or lost is None or promise.kept(lost))
        steps = len(outcome.rates)
        every = max(1, math.ceil(steps / _SERIES))
        first = int(begin / outcome.step_s)
        last = min(steps, first + round(_BURST_S / outcome.step_s))
        self._say(
            f"{name}: {tried.scaling}: {percent(outcome.late_share, question.objective.miss_share)} late, "
            f"{percent(outcome.worst_share, question.allowed_worst_share)} in the worst ten minutes, "
            f"${usd_text(outcome.usd)}"
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
