"""Did the load generator, not the server, decide a point? Then the point is invalid, and says what would help."""

import math
from dataclasses import dataclass

import numpy as np

from ..load.request_log import RequestLog
from ..slo.numerals import beside
from ..slo.objective import Objective

LEAST_SENT_SHARE = 0.98
MOST_DELAY_SHARE = 0.05
MOST_BUSY_SHARE = 0.6
"""How much of one core a load generating process may use: above it, its own queue delays the requests."""


@dataclass(frozen=True)
class LoadCost:
    """What a rate in requests per second costs: ms of CPU a request, shared by the workers.

    `cores` are those of this machine, None where the workers are on others.
    """

    rate_per_s: float
    cpu_ms: float
    workers: int
    cores: int | None


def invalid_reason(rows: RequestLog, due: int, objective: Objective, cost: LoadCost) -> str:
    """Why the point of these rows is invalid; empty when it isn't.

    It is when less than 98 % of what was due was sent, or the generator's own delay (P95) exceeds 5 % of the limit,
    unless the server missed the objective even without that delay, by late answers or by failures: a generator that
    lags only makes the load easier.
    What delays sending delays receiving as well, as one loop does both.
    """
    delay_ms = float(np.quantile(rows.delay_ms, 0.95)) if len(rows) else 0.0
    missed = np.count_nonzero(rows.missed_by_server(objective.limit_ms, delay_ms))
    if len(rows) and not objective.judge(len(rows), missed, np.count_nonzero(~rows.ok)).kept:
        return ""
    allowed_ms = MOST_DELAY_SHARE * objective.limit_ms
    if len(rows) < LEAST_SENT_SHARE * due:
        reason = f"the load generator sent {len(rows)} of {due} requests that were due"
    elif delay_ms > allowed_ms:
        said, few = beside(delay_ms, allowed_ms), f"{allowed_ms:.1f}" if allowed_ms >= 1 else f"{allowed_ms:.2g}"
        reason = f"the load generator sent late: P95 of its delay is {said} ms, {few} ms are allowed"
    else:
        return ""
    return reason + _remedy(cost)


def _remedy(load: LoadCost) -> str:
    """What would help, in words: more workers, more cores, or a machine with less else to do."""
    enough = workers_for(load.rate_per_s, load.cpu_ms)
    cost = f"; {load.cpu_ms:.2f} ms of CPU a request"
    if enough <= load.workers:
        where = "this machine" if load.cores is not None else "their machines"
        share = load.rate_per_s * load.cpu_ms / load.workers / 10
        return f"{cost}, {share:.0f} % of a core each: something else keeps {where} busy"
    if load.cores is not None and enough > load.cores:
        return f"{cost}: {enough} workers would do, and this machine has {load.cores} cores"
    return f"{cost}: --workers {enough} would do"


def workers_for(rate: float, cpu_ms: float) -> int:
    """How many processes can offer `rate` requests a second that take `cpu_ms` each."""
    return max(1, math.ceil(rate * cpu_ms / 1000 / MOST_BUSY_SHARE))
