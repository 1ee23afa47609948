"""What was sent and answered: one row a request, recorded from Locust's request event."""

import gzip
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from locust.env import Environment
from numpy.typing import NDArray

from ..slo.objective import rank_of
from .request_outcome import RequestOutcome, outcome_of

Floats = NDArray[np.float64]
Failures = dict[str, list[float]]
"""When the requests that failed were due, in seconds from the start of the load, by the reason."""


def count_between(failures: Failures, start: float, end: float) -> dict[str, int]:
    """How many of the requests due in [start, end) failed, by reason, the most frequent first."""
    counts = {reason: sum(start <= due < end for due in dues) for reason, dues in failures.items()}
    return {reason: count for reason, count in sorted(counts.items(), key=lambda item: -item[1]) if count}


COLUMNS = 5
"""Of a row: when the request was due, sent and done, its outcome, and the place of its server among all."""


def quantile_of(latencies_ms: Floats, quantile: float) -> float | None:
    """The latency in ms, of those of shape [n], that is the quantile (see `rank_of`); None of none."""
    if not len(latencies_ms):
        return None
    place = rank_of(quantile, len(latencies_ms)) - 1
    return float(np.partition(latencies_ms, place)[place])


class RequestLog:
    """Requests as columns, each of shape [n]; times in seconds from the start of the load.

    `server` is the place of a request's server in the list of servers; 0 where the rows do not say it.
    """

    def __init__(self, table: Floats) -> None:
        if table.shape[1] < COLUMNS:
            table = np.column_stack([table, np.zeros(len(table))])
        self.table = table
        self.due, self.sent, self.done = table[:, 0], table[:, 1], table[:, 2]
        self.ok: NDArray[np.bool_] = table[:, 3] > 0
        self.outcome, self.server = table[:, 3], table[:, 4]

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[float]]) -> "RequestLog":
        """From rows of the five columns, in any order."""
        return cls(np.array(rows, dtype=np.float64).reshape(-1, COLUMNS))

    @classmethod
    def joined(cls, parts: Sequence["RequestLog"]) -> "RequestLog":
        """All rows of the parts, ordered by the time they were due."""
        table = np.concatenate([np.empty((0, COLUMNS)), *(part.table for part in parts)])
        return cls(table[np.argsort(table[:, 0], kind="stable")])

    def between(self, start: float, end: float) -> "RequestLog":
        """The requests due in [start, end)."""
        return RequestLog(self.table[(self.due >= start) & (self.due < end)])

    def answered(self) -> "RequestLog":
        """The requests that got an answer: quantiles of latency are theirs alone, in every loop."""
        return RequestLog(self.table[self.ok])

    @property
    def latency_ms(self) -> Floats:
        """From the intended send time to the answer, in ms."""
        return np.asarray((self.done - self.due) * 1000, dtype=np.float64)

    @property
    def delay_ms(self) -> Floats:
        """How much later than intended a request was sent, in ms."""
        return np.asarray((self.sent - self.due) * 1000, dtype=np.float64)

    def since(self, start: float) -> "RequestLog":
        """The requests due from `start` on, with their times counted from there."""
        table = self.table[self.due >= start].copy()
        table[:, :3] -= start
        return RequestLog(table)

    def ended(self, outcome: RequestOutcome) -> "RequestLog":
        """The requests with this outcome."""
        return RequestLog(self.table[self.outcome == outcome])

    def missed(self, limit_ms: float) -> NDArray[np.bool_]:
        """Which requests failed or took longer than the limit, counted from the intended send time."""
        return ~self.ok | (self.latency_ms > limit_ms)

    def missed_by_server(self, limit_ms: float, delay_ms: float) -> NDArray[np.bool_]:
        """Which requests failed or took longer than the limit whatever the load generator added to them.

        They count from the actual send time, and an answer may have waited for the generator for `delay_ms`, too.
        """
        return ~self.ok | ((self.done - self.sent) * 1000 > limit_ms + delay_ms)

    def save(self, path: Path, start: float) -> None:
        """Write the rows as gzipped CSV, times in ms from `start` (seconds); `ok` holds outcomes, 1 is an answer."""
        times = (self.table[:, :3] - start) * 1000
        lines = map("%.3f,%.3f,%.3f,%d".__mod__, zip(*times.T.tolist(), self.outcome.tolist(), strict=True))
        text = "\n".join(["due_ms,sent_ms,done_ms,ok", *lines, ""])
        path.parent.mkdir(parents=True, exist_ok=True)
        # A fast server makes hundreds of thousands of rows: the best compression would take longer than the point.
        path.write_bytes(gzip.compress(text.encode(), compresslevel=3, mtime=0))


class Recorder:
    """Collects a row for each request that Locust reports, and when the failed ones were due, by their reason."""

    def __init__(self, environment: Environment) -> None:
        self._values = array("d")
        self.failures: Failures = {}
        self._event = environment.events.request
        self._event.add_listener(self._record)

    def _record(self, context: dict[str, float], exception: Exception | None, **_: object) -> None:
        times = (context["due"], context["sent"], context["done"])
        self._values.extend((*times, outcome_of(exception), context.get("server", 0.0)))
        if exception is not None:
            self.failures.setdefault(str(exception), []).append(context["due"])

    def take(self) -> RequestLog:
        """The rows recorded since the last call, in the order of their answers."""
        taken, self._values = self._values, array("d")
        return RequestLog(np.frombuffer(taken, dtype=np.float64).reshape(-1, COLUMNS))

    def take_failures(self) -> Failures:
        """The failures since the last call."""
        taken, self.failures = self.failures, {}
        return taken

    def close(self) -> None:
        """Record no more."""
        self._event.remove_listener(self._record)
