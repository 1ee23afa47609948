"""What sweeps through several targets say: latency and throughput of each, and what a target adds to the first one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..results.schema import SweepPoint
from ..slo.objective import Objective
from .record import SweepRecord, SweepTarget

QUANTILES = {0.5: "p50_ms", 0.9: "p90_ms", 0.95: "p95_ms", 0.99: "p99_ms"}
"""The quantiles of latency that a point of a sweep has, and their fields."""


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and the lowest and the highest of them.

    From the lowest to the highest of n independent values is an interval for the true median that holds with
    probability 1 - 2**(1 - n), whatever their distribution: 97 % for six rounds (David and Nagaraja, Order Statistics,
    2003, section 7.1).
    """

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The spread of one value a round, at least one."""
        found = np.fromiter(values, dtype=np.float64)
        return cls(float(np.median(found)), float(found.min()), float(found.max()))


@dataclass(frozen=True)
class Measured:
    """One quantity of a target over the rounds, and what it is more than the first target's in the same round.

    `added` is in the quantity's own unit, `added_share` a share of the first target's; the first one has neither, and
    of nothing there is no share.
    """

    value: Spread
    added: Spread | None = None
    added_share: Spread | None = None

    @classmethod
    def of(cls, own: Sequence[float], first: Sequence[float] | None) -> Self:
        """From one value a round of the target, and of the first target where this is another one."""
        if first is None:
            return cls(Spread.of(own))
        pairs = list(zip(own, first, strict=True))
        share = Spread.of(a / b - 1 for a, b in pairs) if all(first) else None
        return cls(Spread.of(own), Spread.of(a - b for a, b in pairs), share)


@dataclass(frozen=True)
class Level:
    """One target at one number of requests in flight."""

    target: str
    concurrency: int
    p50_ms: Measured
    p95_ms: Measured
    rate_per_s: Measured


@dataclass(frozen=True)
class Best:
    """The highest throughput of a target, of those that keep a condition, and how many requests were in flight."""

    rate_per_s: float
    concurrency: int


def levels(record: SweepRecord) -> tuple[Level, ...]:
    """Every target at every number in flight, that number first; empty before the first round has ended."""
    first = _by_concurrency(record.targets[0])
    return tuple(
        _level(target, concurrency, _by_concurrency(target)[concurrency], None if target is record.targets[0] else base)
        for concurrency, base in first.items()
        for target in record.targets
    )


def best(target: SweepTarget, objective: Objective | None = None) -> Best | None:
    """The highest throughput of the target, as the median over the rounds; with an objective, of the numbers in flight
    at which the median of its quantile keeps the limit. None where there is none."""
    found = [
        Best(Spread.of(p.rate_per_s for p in points).median, concurrency)
        for concurrency, points in _by_concurrency(target).items()
        if objective is None or _quantile_ms(points, objective) <= objective.limit_ms
    ]
    return max(found, key=lambda one: one.rate_per_s, default=None)


def _quantile_ms(points: list[SweepPoint], objective: Objective) -> float:
    return Spread.of(getattr(p.latency, QUANTILES[objective.quantile]) for p in points).median


def _by_concurrency(target: SweepTarget) -> dict[int, list[SweepPoint]]:
    """The points of each number in flight, in the order of the rounds."""
    found: dict[int, list[SweepPoint]] = {}
    for one_round in target.rounds:
        for point in one_round:
            found.setdefault(point.concurrency, []).append(point)
    return found


def _level(target: SweepTarget, concurrency: int, points: list[SweepPoint], base: list[SweepPoint] | None) -> Level:
    def measured(quantity: Callable[[SweepPoint], float]) -> Measured:
        first = None if base is None else [quantity(point) for point in base]
        return Measured.of([quantity(point) for point in points], first)

    return Level(
        target=target.name,
        concurrency=concurrency,
        p50_ms=measured(lambda point: point.latency.p50_ms),
        p95_ms=measured(lambda point: point.latency.p95_ms),
        rate_per_s=measured(lambda point: point.rate_per_s),
    )
