"""One configuration on trial: applied, saturated for a moment and, unless it is hopeless, searched for its rate."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from ..capacity.configuration import Configuration
from ..results.schema import Point, SweepPoint
from ..slo.numerals import rate_text
from ..slo.objective import Objective
from ..slo.rate_search import Limits, search

Role = Literal["baseline", "screen", "leader", "path", "repeat"]
TrialStatus = Literal["rate", "screened", "hopeless", "worse", "unmet", "invalid", "refused"]
"""`unmet`: not even the lowest rate keeps the objective; `invalid`: the load generator could not even offer that."""
# A closed loop that is a little below the rate to beat may be noise.
_HOPELESS = 0.95
# A point that misses or fails this many times what is allowed is far beyond the edge.
_FAR = 6.0
# More in flight than this many times the rate within the limit only waits, and would end late.
_IN_FLIGHT = 1.5


class RefusedError(Exception):
    """The server did not take a configuration; the message is its reason."""


class MeasuredSystem(Protocol):
    """A server whose model can be configured and measured."""

    def configure(self, configuration: Configuration) -> float:
        """Apply; the seconds that it took. RefusedError when the server does not take it."""

    def closed(self, concurrency: int) -> SweepPoint:
        """A short closed loop with so many requests in flight."""

    def point(self, rate: float, purpose: str) -> Point:
        """One open-loop point at `rate` requests per second."""


@dataclass(frozen=True)
class Candidate:
    """What to try, why, what is expected of it, and the rate that it has to beat to be measured completely."""

    configuration: Configuration
    role: Role
    reason: str
    expected_per_s: float | None = None
    start_per_s: float | None = None
    beat_per_s: float | None = None


class Trial(BaseModel):
    """What became of a task: every point that was measured for it, and its rate if it came to that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    configuration: Configuration
    role: Role
    reason: str
    expected_per_s: float | None = None
    status: TrialStatus
    message: str = ""
    load_s: float = 0.0
    wall_s: float = 0.0
    unloaded_ms: float | None = None
    saturation: SweepPoint | None = None
    points: tuple[Point, ...] = ()
    rate_per_s: float | None = None
    missed_per_s: float | None = None
    lowest_tried_per_s: float | None = None
    generator_limited: bool = False

    @property
    def disturbed(self) -> bool:
        """Whether others took much of the machine during a point of it that counts."""
        return any(point.disturbed for point in self.points) or (
            self.saturation is not None and self.saturation.disturbed
        )

    @property
    def measured_points(self) -> int:
        """Closed and open loops that were run."""
        return len(self.points) + (self.saturation is not None) + (self.unloaded_ms is not None)


def rates_of(configuration: Configuration, trials: Iterable[Trial]) -> list[float]:
    """The rates that complete searches found for it, in requests per second."""
    return [t.rate_per_s for t in trials if t.configuration == configuration and t.rate_per_s]


def rate_of(configuration: Configuration, trials: Iterable[Trial]) -> float | None:
    """The lower median of its rates, in requests per second; None without any."""
    rates = sorted(rates_of(configuration, trials))
    return rates[(len(rates) - 1) // 2] if rates else None


@dataclass(frozen=True)
class TrialObjective:
    """The objective as the trials use it, and how precisely a rate is searched."""

    objective: Objective
    precision: float = 0.03
    repeats: int = 3
    most_in_flight: int = 512

    @property
    def limit_s(self) -> float:
        """The limit of a request in seconds."""
        return self.objective.limit_ms / 1000

    @property
    def allowed_share(self) -> float:
        """The share of requests that may be late."""
        return self.objective.miss_share

    def in_flight(self, configuration: Configuration, rate_per_s: float) -> int:
        """Enough to fill every batch and the next one; no more than can be answered within the limit at that rate."""
        instances = configuration.instances
        useful = max(2 * instances + 2, math.ceil(_IN_FLIGHT * rate_per_s * self.limit_s))
        return min((instances + 1) * configuration.batch, useful, self.most_in_flight)


class _BeatenError(Exception):
    """The rate to beat was not kept."""


def run_trial(bench: MeasuredSystem, task: Candidate, number: int, aim: TrialObjective, known_per_s: float) -> Trial:
    """Try a configuration; `known_per_s` is the highest throughput seen so far, which says how much to keep in flight.

    A refusal is an outcome, not an error: the tuner goes on with the next configuration.
    """
    started = time.monotonic()
    facts: dict[str, object] = {}
    points: list[Point] = []
    try:
        facts["load_s"] = bench.configure(task.configuration)
        facts |= _measure(bench, task, aim, known_per_s, points)
    except RefusedError as error:
        facts |= {"status": "refused", "message": str(error)}
    return Trial.model_validate(
        {
            "number": number,
            "configuration": task.configuration,
            "role": task.role,
            "reason": task.reason,
            "expected_per_s": task.expected_per_s,
            "points": tuple(points),
            "wall_s": time.monotonic() - started,
            **facts,
        }
    )


def _measure(
    bench: MeasuredSystem, task: Candidate, aim: TrialObjective, known_per_s: float, points: list[Point]
) -> dict[str, object]:
    facts: dict[str, object] = {}
    if task.role in ("baseline", "repeat"):
        alone = bench.closed(1)
        facts["unloaded_ms"] = alone.latency.p50_ms
        known_per_s = max(known_per_s, alone.rate_per_s)
    if task.role == "repeat":
        assert task.start_per_s is not None
        return facts | _search(bench.point, task.start_per_s, aim, points)
    saturation = bench.closed(aim.in_flight(task.configuration, known_per_s))
    facts["saturation"] = saturation
    if task.role == "screen":
        return facts | {"status": "screened"}
    beat = task.beat_per_s
    if beat is not None and saturation.rate_per_s < _HOPELESS * beat:
        message = f"saturates at {rate_text(saturation.rate_per_s)} requests/s, {rate_text(beat)} are kept already"
        return facts | {"status": "hopeless", "message": message}

    def measure(rate: float, purpose: str) -> Point:
        point = bench.point(rate, purpose)
        if beat is None or rate > beat * (1 + aim.precision) or point.kept or point.invalid:
            return point
        points.append(point)
        if aim.objective.excess(point.requests, point.misses, point.errors) < _FAR:
            # Near the edge a point is decided by chance as much as by the rate: once more.
            again = bench.point(rate, purpose)
            if again.kept and not again.invalid:
                return again
            points.append(again)
        raise _BeatenError(f"does not keep {rate_text(rate)} requests/s")

    start = min(task.start_per_s or math.inf, 0.9 * saturation.rate_per_s)
    if beat is not None:
        start = max(start, beat * (1 + aim.precision / 3))
    try:
        return facts | _search(measure, start, aim, points)
    except _BeatenError as error:
        return facts | {"status": "worse", "message": str(error)}


def _search(
    measure: Callable[[float, str], Point], start: float, aim: TrialObjective, points: list[Point]
) -> dict[str, object]:
    def kept(rate: float, purpose: str) -> Point:
        point = measure(rate, purpose)
        points.append(point)
        return point

    limits = Limits(start, 0.02 * start, aim.objective, aim.precision, aim.repeats)
    found = search(kept, limits)
    facts: dict[str, object] = {"status": "rate"}
    if found.rate_per_s is None:
        lowest = f"{rate_text(found.lowest_tried_per_s or 0.0)} requests/s, the lowest rate that was tried"
        if found.generator_limited:
            facts = {"status": "invalid", "message": f"the load generator could not even offer {lowest}"}
        else:
            facts = {"status": "unmet", "message": f"misses even at {lowest}"}
    return facts | {
        "rate_per_s": found.rate_per_s,
        "missed_per_s": found.missed_per_s,
        "lowest_tried_per_s": found.lowest_tried_per_s,
        "generator_limited": found.generator_limited,
    }
