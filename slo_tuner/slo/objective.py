"""The objective as data, and the one place that says whether requests keep it."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from command_line.errors import UsageError

_LATENCY = re.compile(r"p(?P<percent>\d{1,2}(\.\d+)?)\s*<=\s*(?P<limit>\d+(\.\d+)?)\s*(?P<unit>ms|s)", re.I)
_ERRORS = re.compile(r"errors\s*<=\s*(?P<percent>\d+(\.\d+)?)\s*%", re.I)
# Multiples of the unloaded latency that the objective `auto` is widened to, one after another.
_FACTORS = (6.0, 9.0, 14.0, 20.0, 30.0, 50.0)
_MOST_QUANTILE, _LONGEST_MS = 0.9999999999, 86_400_000.0
_ALLOWED = "write it like p95<=100ms or p99<=0.5s, optionally followed by ,errors<=1%"


def keeps(count: int, total: int, allowed_share: float) -> bool:
    """Whether `count` of `total` is at most the share, which is taken as the decimal that it was written as.

    Every comparison of a count with an allowed share is this one: in binary, 1 - 0.9 is less than 0.1.
    """
    return int(count) <= Fraction(str(allowed_share)) * int(total)


def rank_of(quantile: float, total: int) -> int:
    """Which of `total` values in ascending order, counted from 1, is the quantile: the largest that may not be late.

    As many are above it as `keeps` allows, so it is within a limit exactly where few enough values exceed the limit:
    interpolated between two answers, a quantile of few requests would lie above a limit that they keep.
    """
    return max(1, total - math.floor(Fraction(str(_share_above(quantile))) * total))


def _share_above(quantile: float) -> float:
    return round(1.0 - quantile, 12)


@dataclass(frozen=True)
class Verdict:
    """What became of requests under an objective: kept, or why not."""

    late: bool
    failed: bool
    nothing: bool = False

    @property
    def kept(self) -> bool:
        """Whether there were requests, few enough of them late, and few enough failed."""
        return not (self.late or self.failed or self.nothing)


@dataclass(frozen=True)
class Objective:
    """`quantile` of the requests are answered within `limit_ms`, and at most `error_share` of them fail.

    A failed or timed-out request also counts as one over the limit: nobody got its answer in time. Of one that is read
    from a results file the bounds are checked; `parse_objective` checks its own.
    """

    quantile: Annotated[float, Field(gt=0, le=_MOST_QUANTILE)] = 0.95
    limit_ms: Annotated[float, Field(gt=0, le=_LONGEST_MS)] = 100.0
    error_share: Annotated[float, Field(ge=0, lt=1)] = 0.01

    @property
    def miss_share(self) -> float:
        """The share of requests that may exceed the limit."""
        return _share_above(self.quantile)

    @property
    def quantile_name(self) -> str:
        """The quantile as people write it: P95, P99.9."""
        return f"P{self.quantile * 100:.12g}"

    def judge(self, requests: int, misses: int, errors: int) -> Verdict:
        """Judge counted requests: of `requests`, `misses` failed or were late, and `errors` of those failed.

        Both shares have to be kept. No request at all keeps nothing.
        """
        if requests <= 0:
            return Verdict(late=False, failed=False, nothing=True)
        return Verdict(
            late=not keeps(misses, requests, self.miss_share),
            failed=not keeps(errors, requests, self.error_share),
        )

    def excess(self, requests: int, misses: int, errors: int) -> float:
        """How many times what is allowed is missed or failed, the larger of both: above 1 the objective is missed.

        0 without any request; infinite where one failed and none may.
        """
        if requests <= 0:
            return 0.0
        failed = errors / (self.error_share * requests) if self.error_share else (math.inf if errors else 0.0)
        return max(misses / (self.miss_share * requests), failed)

    def __str__(self) -> str:
        errors = "" if self.error_share == 0.01 else f",errors<={self.error_share * 100:.12g}%"
        return f"p{self.quantile * 100:.12g}<={self.limit_ms:.12g}ms{errors}"


@dataclass(frozen=True)
class ChosenObjective:
    """An objective, and in words where it comes from."""

    objective: Objective
    source: str


def parse_objective(text: str, field: str = "objective") -> Objective:
    """Read an objective such as `p95<=100ms` or `p99<=0.5s,errors<=0.1%`; UsageError names `field` when it is none."""
    latency, _, errors = text.partition(",")
    match = _LATENCY.fullmatch(latency.strip())
    error_match = _ERRORS.fullmatch(errors.strip()) if errors else None
    if match is None or (errors and error_match is None):
        raise UsageError(field, text, _ALLOWED)
    quantile = round(float(match["percent"]) / 100, 10)
    limit_ms = float(match["limit"]) * (1000 if match["unit"].lower() == "s" else 1)
    error_share = round(float(error_match["percent"]) / 100, 12) if error_match else 0.01
    if not 0.5 <= quantile < 1 or not 0 < limit_ms <= _LONGEST_MS or error_share >= 1:
        allowed = "the quantile is 50 to below 100, the limit above 0 and a day at most, the errors below 100%"
        raise UsageError(field, text, allowed)
    return Objective(quantile, limit_ms, error_share)


def relative_objective(unloaded_ms: float, factor: float = 4.0) -> Objective:
    """P95 within `factor` times the unloaded latency, rounded up to two significant steps (50 ms from 200 ms on).

    A ratio against a baseline that misses the objective says nothing: this picks one that it can keep.
    """
    return Objective(limit_ms=_rounded_up(unloaded_ms * factor))


def _rounded_up(limit_ms: float) -> float:
    step = next(step for below, step in ((10, 1), (50, 5), (200, 10), (float("inf"), 50)) if limit_ms < below)
    return float(-(-limit_ms // step) * step)


def _ms_text(latency_ms: float) -> str:
    """Milliseconds without a fraction; less than ten with two digits: 0.4 ms are not 0."""
    return f"{latency_ms:.0f}" if latency_ms >= 9.5 else f"{latency_ms:.2g}"


def choose_objective(asked: Objective | None, model: str, unloaded_ms: float, factor: float = 4.0) -> ChosenObjective:
    """The objective that was asked for; without one, `factor` times the unloaded latency in ms of a model."""
    if asked is not None:
        return ChosenObjective(asked, "asked for")
    source = f"{factor:g} times the unloaded latency of {model} ({_ms_text(unloaded_ms)} ms), rounded up"
    return ChosenObjective(relative_objective(unloaded_ms, factor), source)


def wider_objective(missed: Objective, model: str, unloaded_ms: float, reached_ms: float) -> ChosenObjective:
    """The next wider objective of a model that missed one at its lowest rate, where its quantile was `reached_ms`.

    The next multiple of the unloaded latency that is above both; above all multiples, one and a half times the larger.
    """
    least_ms = max(missed.limit_ms, reached_ms)
    for factor in _FACTORS:
        chosen = choose_objective(None, model, unloaded_ms, factor)
        if chosen.objective.limit_ms > least_ms:
            return chosen
    source = f"1.5 times what {model} reached at its lowest rate ({_ms_text(least_ms)} ms), rounded up"
    return ChosenObjective(Objective(limit_ms=_rounded_up(1.5 * least_ms)), source)
