"""The search for the highest offered rate that keeps an objective: plain decisions over a function that measures."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from .miss_curve import Counted, crossing
from .objective import Objective


class PointVerdict(Counted, Protocol):
    """What the search needs to know of a measured point."""

    @property
    def kept(self) -> bool: ...
    @property
    def invalid(self) -> bool: ...


# The first bracketing step, and how much larger each is than the one before.
_STEP, _GROWTH = 1.12, 1.25
# Ten growing steps up are a factor of 70,000: a server that still keeps the objective then has no edge to be found.
_MOST_STEPS_UP = 10
# Below a rate at which the generator lagged, small steps are of no use.
_INVALID_STEP = 1.2
# How often a higher rate is confirmed once one was kept: what is left then is luck.
_MOST_CLIMBS = 8
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


@dataclass(frozen=True)
class Found:
    """The highest rate kept, confirmed by repeats, and the lowest rate above it that was missed.

    `rate_per_s` is None when the objective was not kept at the lowest rate: then `lowest_tried_per_s` is that one.
    `generator_limited` says that the load generator, not the server, set the upper bound.
    """

    rate_per_s: float | None = None
    missed_per_s: float | None = None
    lowest_tried_per_s: float | None = None
    generator_limited: bool = False


def is_generator_limited(rate_per_s: float | None, points: Iterable[PointVerdict]) -> bool:
    """Whether the load generator, not the server, is what bounds a rate from above, by all points of its searches.

    That is so when there are rates above it (all rates, where it is None) that the generator could not offer, and the
    server missed the objective at none up to the lowest of them. A rate whose last point is valid was offered.
    """
    above = [p for p in points if p.rate_per_s > (rate_per_s or 0.0)]
    last = {p.rate_per_s: p for p in above}
    not_offered = min((rate for rate, point in last.items() if point.invalid), default=math.inf)
    missed = min((p.rate_per_s for p in above if not p.invalid and not p.kept), default=math.inf)
    return not_offered < missed


class Search:
    """Brackets from a start rate, bisects until the bounds are within the precision, then confirms by repeats.

    No rate is given up before the lowest one was tried: steps down grow, so that it takes few of them.
    """

    def __init__(self, measure: Measure, limits: Limits) -> None:
        self._measure = measure
        self._limits = limits
        self._points: list[PointVerdict] = []

    def run(self) -> Found:
        """The highest rate that keeps the objective."""
        low, high = self._bracket()
        if low is None:
            return self._found(self._confirm(self._limits.lowest_rate, missed=high))
        while high / low > 1 + self._limits.precision:
            rate = self._inside(low, high)
            if self._good(rate, "bisect"):
                low = rate
            else:
                high = rate
        if any(p.invalid for p in self._points if p.rate_per_s == high):
            # The curves say nothing of the generator: nothing is gained above what it could offer.
            return self._found(self._confirm(self._edge(low / _LEEWAY, low), missed=high))
        return self._found(self._confirm(self._edge(low / _LEEWAY, high * _LEEWAY)))

    def _bracket(self) -> tuple[float | None, float]:
        """A rate kept and a rate missed, by growing steps from the start rate.

        The kept one is None when not even the lowest is; the missed one is then the next above that.
        """
        lowest, high = self._limits.lowest_rate, math.inf
        rate, step = max(self._limits.start_rate, lowest), _STEP
        if self._good(rate, "bracket"):
            for _ in range(_MOST_STEPS_UP):
                low, rate = rate, rate * step
                if not self._good(rate, "bracket"):
                    return low, rate
                step *= _GROWTH
            return rate, rate
        while rate > lowest:
            high, rate = rate, max(rate / step, lowest)
            if self._good(rate, "bracket"):
                return rate, high
            step *= _GROWTH
        return None, high

    def _good(self, rate: float, purpose: str) -> bool:
        point = self._measured(rate, purpose)
        return point.kept and not point.invalid

    def _measured(self, rate: float, purpose: str) -> PointVerdict:
        """One point that counts: an invalid one is measured once more, then it bounds the rate from above."""
        for _ in range(2):
            point = self._measure(rate, purpose)
            self._points.append(point)
            if not point.invalid:
                break
        return point

    def _confirm(self, rate: float, missed: float = math.inf) -> float | None:
        """Repeat at a rate, and step down until the pooled repeats keep; then up, where there is room.

        One point near the edge is decided by chance as much as by the rate; the curve through all of them is not.
        """
        lowest, step = self._limits.lowest_rate, 1 + self._limits.precision / 3
        rate = max(rate, lowest)
        while not self._keep(repeats := self._repeat(rate)):
            if rate <= lowest:
                return None
            if any(r.invalid for r in repeats):
                step = max(step, _INVALID_STEP)
            else:
                missed = rate
            rate = max(min(self._edge(rate / _LEEWAY, rate), rate / step), lowest)
            step = step**1.5
        return self._climb(rate, missed)

    def _climb(self, kept: float, missed: float) -> float:
        """The highest rate whose repeats keep, between one that is kept and one that is missed (infinite without)."""
        small = 1 + self._limits.precision / 2
        for _ in range(_MOST_CLIMBS):
            # A wide gap is what a large step down has left: half of it is lost without another look.
            wide = missed < math.inf and missed / kept > (1 + self._limits.precision) * small
            rate = self._inside(kept, missed) if wide else self._edge(kept, kept * _LEEWAY)
            if not wide and (rate < kept * small or rate >= missed):
                break
            if self._keep(self._repeat(rate)):
                kept = rate
            else:
                missed = rate
                if not wide:
                    break
        return kept

    def _found(self, rate: float | None) -> Found:
        missed = [p.rate_per_s for p in self._points if not p.invalid and not p.kept and p.rate_per_s > (rate or 0.0)]
        return Found(
            rate_per_s=rate,
            missed_per_s=min(missed, default=None),
            lowest_tried_per_s=min(p.rate_per_s for p in self._points),
            generator_limited=is_generator_limited(rate, self._points),
        )

    def _inside(self, low: float, high: float) -> float:
        """Where the curves cross, kept away from the ends so that every point removes a part of the bracket."""
        quarter = math.sqrt(math.sqrt(high / low))
        return min(max(self._edge(low, high), low * quarter), high / quarter)

    def _edge(self, low: float, high: float) -> float:
        return crossing([p for p in self._points if not p.invalid], self._limits.objective, low, high)

    def _keep(self, repeats: list[PointVerdict]) -> bool:
        """Whether the repeats, pooled, keep the objective."""
        complete = len(repeats) == self._limits.repeats and not any(r.invalid for r in repeats)
        return complete and self._pooled(repeats, sum(r.requests for r in repeats))

    def _pooled(self, repeats: list[PointVerdict], requests: int) -> bool:
        misses, errors = sum(r.misses for r in repeats), sum(r.errors for r in repeats)
        return self._limits.objective.judge(requests, misses, errors).kept

    def _repeat(self, rate: float) -> list[PointVerdict]:
        """Measure `rate` up to `repeats` times; fewer once they can't keep together any more."""
        repeats: list[PointVerdict] = []
        for count in range(1, self._limits.repeats + 1):
            repeats.append(self._measured(rate, "confirm"))
            in_all = sum(r.requests for r in repeats) * self._limits.repeats // count
            if repeats[-1].invalid or not self._pooled(repeats, in_all):
                break
        return repeats


def search(measure: Measure, limits: Limits) -> Found:
    """The highest offered rate that keeps an objective, by points from `measure`; see `Search`."""
    return Search(measure, limits).run()
