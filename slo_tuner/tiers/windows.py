"""From the rows of a run to what became of its requests, window by window."""

from itertools import pairwise

from ..load.request_log import RequestLog, quantile_of
from ..load.request_outcome import RequestOutcome
from ..slo.objective import Objective
from .record import Window

WINDOWS_PER_PHASE = 10


def windows_of(rows: RequestLog, objective: Objective, edges_s: tuple[float, ...]) -> tuple[Window, ...]:
    """One window between each two neighbouring edges, in seconds from the start of the run."""
    return tuple(_window(rows, objective, start, end) for start, end in pairwise(edges_s))


def phase_edges(phase_s: float) -> tuple[float, ...]:
    """Where the three phases begin and end."""
    return tuple(phase_s * number for number in range(4))


def window_edges(phase_s: float) -> tuple[float, ...]:
    """Where the windows of the plots begin and end."""
    count = 3 * WINDOWS_PER_PHASE
    return tuple(3 * phase_s * number / count for number in range(count + 1))


def _window(rows: RequestLog, objective: Objective, start: float, end: float) -> Window:
    due = rows.between(start, end)
    counts = {outcome: len(due.ended(outcome)) for outcome in RequestOutcome}
    taken = RequestLog(due.table[due.outcome >= RequestOutcome.FAILED])
    answered = due.answered()
    return Window(
        start_s=start,
        end_s=end,
        due=len(due),
        answered=len(answered),
        shed=counts[RequestOutcome.SHED],
        timed_out=counts[RequestOutcome.TIMED_OUT],
        failed=counts[RequestOutcome.FAILED],
        late=int(taken.missed(objective.limit_ms).sum()),
        quantile_ms=quantile_of(answered.latency_ms, objective.quantile),
    )
