"""Looks for the settings that keep the objective at the least cost: roughly everywhere, exactly where it matters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..capacity.queue_model import Floats
from ..capacity.surrogate import carry_over
from ..cost.prices import CapacityMargin, replicas
from .settings import ScalingSettings
from .simulate import Outcome

Simulate = Callable[[Sequence[ScalingSettings]], list[Outcome]]
# How often the best candidates are simulated exactly, and how many side by side, which takes little longer than one.
_ROUNDS, _AT_ONCE = 3, 3
_ERROR = 0.01
# Shares late differ between simulations by factors, costs by percents: their logarithms are shrunk to the same size.
_SHRUNK = 0.2
_LEAST_SHARE = 1e-4
_TARGETS = (50, 60, 70, 80, 90, 100)
_COOLDOWNS_S = (180, 600)
_WINDOW_S = 60
_SPARE = 0.1
# Of the limit: a mean queue time beyond which more Pods are wanted, whatever the rate says.
_QUEUE_SHARE = 0.2


@dataclass(frozen=True)
class Load:
    """What the candidates are made for: the trace's minutes in Pods at their full capacity, and the limit."""

    needed_pods: Floats
    limit_ms: float
    most: int
    zones: int


def usual_leasts(needed_pods: Floats, zones: int) -> set[int]:
    """Fewest Pods that are worth a try: what the quietest, the median, a busy and the busiest minute need.

    `needed_pods` has the shape [minutes]; one Pod a zone is the least.
    """
    return {max(zones, math.ceil(value)) for value in np.quantile(needed_pods, (0.0, 0.5, 0.9, 1.0))}


def candidates(load: Load, fixed: int) -> list[ScalingSettings]:
    """Every combination that may be best: targets, least Pods, cool-downs, with and without queue time.

    `fixed`: as many Pods as do without an autoscaler, so that one never has to cost more than they do.
    """
    # What the busiest minute needs when a zone is lost, with a little to spare.
    busiest = replicas(float(load.needed_pods.max()), 1.0, CapacityMargin(_SPARE, load.zones))
    leasts = {*usual_leasts(load.needed_pods, load.zones), max(load.zones, busiest), max(load.zones, fixed)}
    queue_ms = float(f"{_QUEUE_SHARE * load.limit_ms:.3g}")
    return [
        ScalingSettings(
            least=least,
            most=load.most,
            rate_target_percent=target,
            cooldown_s=cooldown,
            window_s=_WINDOW_S,
            queue_target_ms=queue,
        )
        for target in _TARGETS
        for least in sorted({min(least, load.most) for least in leasts})
        for cooldown in _COOLDOWNS_S
        for queue in (None, queue_ms)
    ]


@dataclass(frozen=True)
class Promise:
    """What settings have to keep: shares late that are allowed, of everything and of the worst ten minutes."""

    late_share: float
    worst_share: float = 1.0

    def kept(self, outcome: Outcome) -> bool:
        """Whether an outcome keeps both."""
        return outcome.late_share <= self.late_share and outcome.worst_share <= self.worst_share

    def excess(self, outcome: Outcome) -> float:
        """The share over what is allowed, the larger of the two; 1 and below keeps them."""
        return max(outcome.late_share / self.late_share, outcome.worst_share / self.worst_share)


@dataclass(frozen=True)
class Tried:
    """Settings that were simulated."""

    scaling: ScalingSettings
    outcome: Outcome


@dataclass
class Search:
    """One trace and one kind of Pod. `rough` is the outcome of each candidate in long steps; `exact` simulates
    several of them in short ones."""

    candidates: Sequence[ScalingSettings]
    rough: Sequence[Outcome]
    exact: Simulate
    found: dict[int, Outcome] = field(default_factory=dict)

    def cheapest(self, promise: Promise) -> Tried:
        """The settings with the least cost that keep the promise exactly; where none does, those that come closest.

        What the exact simulation says of a few candidates is carried over to the others by the tuner's surrogate, and
        the next to simulate are the cheapest of those that are expected to keep the promise.
        """
        for _ in range(_ROUNDS):
            costs, excess = self._expected(promise)
            best = self._best(promise)
            limit = math.log(best.outcome.usd) if best is not None else math.inf
            open_ones = [i for i in range(len(self.candidates)) if i not in self.found]
            likely = [i for i in open_ones if excess[i] <= 0 and costs[i] < limit - 1e-6]
            if not open_ones or (not likely and best is not None):
                break
            ranked = sorted(likely, key=costs.__getitem__) or sorted(open_ones, key=excess.__getitem__)
            numbers = ranked[:_AT_ONCE]
            outcomes = self.exact([self.candidates[number] for number in numbers])
            self.found.update(zip(numbers, outcomes, strict=True))
        best = self._best(promise)
        if best is not None:
            return best
        number = min(self.found, key=lambda i: promise.excess(self.found[i]))
        return Tried(self.candidates[number], self.found[number])

    def _best(self, promise: Promise) -> Tried | None:
        kept = [i for i, outcome in self.found.items() if promise.kept(outcome)]
        number = min(kept, key=lambda i: self.found[i].usd, default=None)
        return Tried(self.candidates[number], self.found[number]) if number is not None else None

    def _expected(self, promise: Promise) -> tuple[Floats, Floats]:
        """The logarithms of each candidate's cost and of its excess, as expected."""
        places = np.array([_position(candidate) for candidate in self.candidates])
        seen = np.array(sorted(self.found), dtype=np.int64)
        errors = np.full(len(seen), _ERROR)
        expected = []
        for of, shrunk in ((_log_usd, 1.0), (lambda outcome: _log_excess(promise, outcome), _SHRUNK)):
            predicted = np.array([of(outcome) for outcome in self.rough]) * shrunk
            observed = np.array([of(self.found[i]) for i in seen.tolist()]) * shrunk
            expected.append(carry_over(places, predicted, seen, observed, errors).log_rate / shrunk)
        return expected[0], expected[1]


def _log_usd(outcome: Outcome) -> float:
    return math.log(max(outcome.usd, 1e-9))


def _log_excess(promise: Promise, outcome: Outcome) -> float:
    return math.log(max(promise.excess(outcome), _LEAST_SHARE))


def _position(settings: ScalingSettings) -> Floats:
    """Where settings are: differences of 1 tell little about one another."""
    return np.array(
        [
            (settings.rate_target_percent or 100) / 30,
            math.log2(max(settings.least, 1)),
            math.log2(settings.cooldown_s) / 2,
            math.log2(settings.window_s) / 2,
            0.7 if settings.queue_target_ms is not None else 0.0,
        ]
    )
