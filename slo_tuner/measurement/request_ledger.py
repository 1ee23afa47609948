"""The fate of each request of a schedule while its rows come in: counted as they come, never all of them again."""

import numpy as np
from numpy.typing import NDArray

from ..load.request_log import Floats, RequestLog


class RequestLedger:
    """Collects the rows of a run, and which of its requests were missed; times in seconds from the start of the load.

    `offsets_s`, ascending, shape [n], says when requests are due. One without an answer yet counts as missed: ask
    only for what was due longer ago than the limit.
    """

    def __init__(self, offsets_s: Floats, limit_ms: float) -> None:
        self._offsets_s, self._limit_ms = offsets_s, limit_ms
        self._missed = np.ones(len(offsets_s), dtype=bool)
        self._parts: list[RequestLog] = []

    def add(self, rows: RequestLog) -> None:
        """RequestLog that are new; a row's due time is exactly its offset."""
        self._parts.append(rows)
        self._missed[np.searchsorted(self._offsets_s, rows.due)] = rows.missed(self._limit_ms)

    def missed_between(self, since_s: float, until_s: float) -> NDArray[np.bool_]:
        """Whether each request due in [since, until) was missed, in the order of their due times."""
        return self._missed[slice(*np.searchsorted(self._offsets_s, (since_s, until_s)))]

    def due_between(self, since_s: float, until_s: float) -> int:
        """How many requests are due in [since, until)."""
        return int(np.diff(np.searchsorted(self._offsets_s, (since_s, until_s)))[0])

    @property
    def answered(self) -> int:
        """How many requests have an answer, an error among them."""
        return sum(len(part) for part in self._parts)

    def rows(self) -> RequestLog:
        """All rows so far, ordered by the time they were due."""
        return RequestLog.joined(self._parts)
