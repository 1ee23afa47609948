"""The locustfile's gate: every process counts its requests exactly, and one place judges the sum of the counts."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from command_line.exit_codes import ExitCode

from ..slo.numerals import beside
from ..slo.objective import Objective, rank_of

# Neighbouring buckets of latency differ by a thousandth: for the quantile that is printed. The counts judge.
_STEP = math.log(1.001)
_LEAST_MS = 1e-3


@dataclass
class Counts:
    """Requests that were judged: all, those that failed or were late, and those that failed.

    `buckets` holds how many answers took how long, by the logarithm of their latency.
    """

    requests: int = 0
    misses: int = 0
    errors: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        """Count what another process has counted, too."""
        self.requests += other.requests
        self.misses += other.misses
        self.errors += other.errors
        self.buckets.update(other.buckets)

    def answer(self, latency_ms: float) -> None:
        """Keep the latency of an answer."""
        self.buckets[round(math.log(max(latency_ms, _LEAST_MS)) / _STEP)] += 1

    def quantile_ms(self, quantile: float) -> float | None:
        """A quantile of the answers' latencies in ms, give or take 0.05 %; None without an answer."""
        wanted, seen = rank_of(quantile, self.buckets.total()), 0
        for bucket, count in sorted(self.buckets.items()):
            seen += count
            if seen >= wanted:
                return math.exp(bucket * _STEP)
        return None

    def to_message(self) -> dict[str, Any]:
        """As Locust sends it."""
        return {"counts": [self.requests, self.misses, self.errors], "buckets": list(self.buckets.items())}

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> "Counts":
        """As Locust received it."""
        requests, misses, errors = data["counts"]
        return cls(requests, misses, errors, Counter(dict(data["buckets"])))


class Gate:
    """Counts the requests of one process that were due once all users ran and `warm_up_s` had passed.

    While users are still being started the server has less to do than was asked for: those requests judge nothing.
    Times are `time.perf_counter()` of this process.
    """

    def __init__(self, limit_ms: float, warm_up_s: float) -> None:
        self._limit_ms, self._warm_up_s = limit_ms, warm_up_s
        self.restart()

    def restart(self) -> None:
        """Forget everything: another test begins."""
        self._counted_from, self._stopped = math.inf, False
        self._counts = Counts()
        self._under_way: dict[object, float] = {}

    def users_started(self, now: float) -> None:
        """All users run; what is due after the warm-up counts. Later changes of their number change nothing."""
        self._counted_from = min(self._counted_from, now + self._warm_up_s)

    @contextmanager
    def watching(self, due: float) -> Iterator[None]:
        """A request that is due at `due` is under way meanwhile."""
        token = object()
        self._under_way[token] = due
        try:
            yield
        finally:
            self._under_way.pop(token, None)

    def ended(self, due: float, latency_ms: float, failed: bool) -> None:
        """A request got its answer, or failed, `latency_ms` after it was due."""
        if self._stopped or due < self._counted_from:
            return
        self._counts.requests += 1
        self._counts.errors += failed
        self._counts.misses += failed or latency_ms > self._limit_ms
        if not failed:
            self._counts.answer(latency_ms)

    def abandoned(self, due: float, now: float) -> None:
        """A request is given up because the test ends. It is late when its limit is over, else nobody knows.

        One that hangs since the warm-up is late once it has hung for the limit while requests counted.
        """
        if not self._stopped and (now - max(due, self._counted_from)) * 1000 > self._limit_ms:
            self._counts.requests += 1
            self._counts.misses += 1

    def stop(self, now: float) -> None:
        """Count no more; what is under way is given up."""
        for due in self._under_way.values():
            self.abandoned(due, now)
        self._stopped = True

    def take(self) -> Counts:
        """What was counted since the last call."""
        taken, self._counts = self._counts, Counts()
        return taken


def verdict(objective: Objective, counts: Counts) -> tuple[ExitCode, str]:
    """What became of the objective: the exit code, and one line for people."""
    judged = objective.judge(counts.requests, counts.misses, counts.errors)
    if judged.nothing:
        return ExitCode.UNKNOWN, f"objective {objective}: unknown; no request was due after all users had started"
    reached = counts.quantile_ms(objective.quantile)
    if reached is not None and judged.kept:
        # The counts are exact, the quantile is one of a bucket.
        reached = min(reached, objective.limit_ms)
    text = (
        f"objective {objective}: {'kept' if judged.kept else 'missed'}; {counts.requests} requests, "
        f"{counts.misses - counts.errors} late, {counts.errors} failed; "
        + (
            f"{objective.quantile_name} of the answers {beside(reached, objective.limit_ms)} ms"
            if reached is not None
            else "no answer"
        )
    )
    return ExitCode.DONE if judged.kept else ExitCode.NOT_KEPT, text
