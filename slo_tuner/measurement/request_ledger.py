"""The fate of each request of a schedule while its rows come in: counted as they come, never all of them again."""

import numpy as np

from ..load.request_log import Floats, RequestLog
from ..slo.stop_rule import Fates


class RequestLedger:
    """Collects the rows of a run, and which of its requests were missed; times in seconds from the start of the load.

    `offsets_s`, ascending, shape [n], says when requests are due. In `fates` one without an answer yet is missed: ask
    only for what was due longer ago than the limit.
    """

    def __init__(self, offsets_s: Floats, limit_ms: float) -> None:
        self._offsets_s, self._limit_ms = offsets_s, limit_ms
        self.fates = Fates(offsets_s, np.ones(len(offsets_s), dtype=bool), np.zeros(len(offsets_s), dtype=bool))
        self._parts: list[RequestLog] = []

    def add(self, rows: RequestLog) -> None:
        """Rows that are new; a row's due time is exactly its offset."""
        self._parts.append(rows)
        known = np.searchsorted(self._offsets_s, rows.due)
        self.fates.missed[known] = rows.missed(self._limit_ms)
        self.fates.failed[known] = ~rows.ok

    def due_between(self, since_s: float, until_s: float) -> int:
        """How many requests are due in [since, until)."""
        return len(self.fates.between(since_s, until_s))

    @property
    def answered(self) -> int:
        """How many requests have an answer, an error among them."""
        return sum(len(part) for part in self._parts)

    def rows(self) -> RequestLog:
        """All rows so far, ordered by the time they were due."""
        return RequestLog.joined(self._parts)
