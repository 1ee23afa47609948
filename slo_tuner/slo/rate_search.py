"""The search for the highest offered rate that keeps an objective: plain decisions over a function that measures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .miss_curve import Counted, crossing
from .objective import Objective


class PointVerdict(Counted, Protocol):
    """What the search needs to know of a measured point."""

    @property
    def errors(self) -> int: ...
    @property
    def kept(self) -> bool: ...
    @property
    def invalid(self) -> bool: ...


# A generator that lags at several rates in a row will not do better at the next: stop and say so.
_MOST_VOID_RATES = 3
_VOID_STEP = 1.2
_MOST_CONFIRMED_RATES = 8
# How far the edge may lie outside the bracket: a bound is one noisy point.
_LEEWAY = 1.03

Measure = Callable[[float, str], PointVerdict]
"""Measures one point: offered rate in requests per second, and its purpose (`bracket`, `bisect` or `confirm`)."""


@dataclass(frozen=True)
class Limits:
    """Where the search starts and when it ends; rates in requests per second, shares from 0 to 1."""

    start_rate: float
    lowest_rate: float
    objective: Objective
    precision: float = 0.03
    repeats: int = 3


@dataclass
class Found:
    """The highest rate kept, confirmed by repeats, and the lowest rate above it that was missed.

    `rate_per_s` is None when the objective is missed at the lowest rate. `generator_limited` says that the load
    generator, not the server, set the upper bound.
    """

    rate_per_s: float | None = None
    missed_per_s: float | None = None
    generator_limited: bool = False


class Search:
    """Brackets from a start rate, bisects until the bounds are within the precision, then confirms by repeats."""

    def __init__(self, measure: Measure, limits: Limits) -> None:
        self._measure = measure
        self._limits = limits
        self._points: list[PointVerdict] = []
        self._void_rates = 0

    def run(self) -> Found:
        """The highest rate that keeps the objective."""
        low, high = self._bracket()
        if low is None:
            return Found(missed_per_s=high, generator_limited=self._void_rates > 0)
        while high / low > 1 + self._limits.precision:
            # Where the miss curve crosses, kept away from the ends so that every point removes a part of the bracket.
            rate = min(max(self._edge(low, high), low * (high / low) ** 0.25), low * (high / low) ** 0.75)
            if self._good(rate, "bisect"):
                low = rate
            else:
                high = rate
        return self._confirm(low, high)

    def _bracket(self) -> tuple[float | None, float]:
        """A rate kept (None when not even the lowest is) and a rate missed, by growing steps from the start rate."""
        limits = self._limits
        rate, step = max(limits.start_rate, limits.lowest_rate), 1.12
        low: float | None = None
        high: float | None = None
        while low is None or high is None:
            if self._good(rate, "bracket"):
                low, rate = rate, rate * step
            else:
                if rate <= limits.lowest_rate or self._void_rates >= _MOST_VOID_RATES:
                    return None, rate
                high, rate = rate, max(rate / step, limits.lowest_rate)
            step *= 1.25
        return low, high

    def _good(self, rate: float, purpose: str) -> bool:
        outcome = self._measured(rate, purpose)
        return outcome.kept and not outcome.invalid

    def _measured(self, rate: float, purpose: str) -> PointVerdict:
        """One outcome that counts: an invalid point is measured once more, then it bounds the rate from above."""
        outcome = self._measure(rate, purpose)
        if outcome.invalid:
            outcome = self._measure(rate, purpose)
        if outcome.invalid:
            self._void_rates += 1
        else:
            self._points.append(outcome)
        return outcome

    def _confirm(self, low: float, high: float) -> Found:
        """Repeat where all points together put the edge; step down while the pooled repeats miss, up once they keep.

        One point near the edge is decided by chance as much as by the rate; the curve through all of them is not.
        """
        limits = self._limits
        found = Found(missed_per_s=high)
        rate, step = self._edge(low / _LEEWAY, high * _LEEWAY), 1 + limits.precision / 3
        lowest_missed = float("inf")
        for _ in range(_MOST_CONFIRMED_RATES):
            repeats = self._repeat(rate)
            if self._keep(repeats):
                found = Found(rate, None)
                higher = self._edge(rate, rate * _LEEWAY)
                if higher < rate * (1 + limits.precision / 2) or higher >= lowest_missed:
                    break
                rate = higher
            else:
                lowest_missed = min(lowest_missed, rate)
                if found.rate_per_s is not None or rate <= limits.lowest_rate:
                    break
                if any(r.invalid for r in repeats):  # beyond the generator: no use in small steps
                    step = _VOID_STEP
                rate = max(min(self._edge(rate / _LEEWAY, rate), rate / step), limits.lowest_rate)
                step = step**1.5
        missed = (p.rate_per_s for p in self._points if not p.kept and self._above(p, found))
        found.missed_per_s = min(missed, default=None)
        found.generator_limited = self._void_rates > 0
        return found

    def _edge(self, low: float, high: float) -> float:
        return crossing(self._points, self._limits.objective.miss_share, low, high)

    def _keep(self, repeats: list[PointVerdict]) -> bool:
        """Whether the repeats, pooled, keep the objective."""
        complete = len(repeats) == self._limits.repeats and not any(r.invalid for r in repeats)
        counts = (sum(r.requests for r in repeats), sum(r.misses for r in repeats), sum(r.errors for r in repeats))
        return complete and self._limits.objective.judge(*counts).kept

    @staticmethod
    def _above(point: PointVerdict, found: Found) -> bool:
        return found.rate_per_s is None or point.rate_per_s > found.rate_per_s

    def _repeat(self, rate: float) -> list[PointVerdict]:
        """Measure `rate` up to `repeats` times; fewer once they can't keep together any more."""
        limits = self._limits
        repeats: list[PointVerdict] = []
        for _ in range(limits.repeats):
            outcome = self._measured(rate, "confirm")
            repeats.append(outcome)
            misses, requests = sum(r.misses for r in repeats), sum(r.requests for r in repeats)
            hopeless = misses > limits.objective.miss_share * requests * limits.repeats / len(repeats)
            if outcome.invalid or (hopeless and len(repeats) < limits.repeats):
                break
        return repeats


def search(measure: Measure, limits: Limits) -> Found:
    """The highest offered rate that keeps the objective, by points from `measure`; see `Search`."""
    return Search(measure, limits).run()
