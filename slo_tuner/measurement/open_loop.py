"""One open-loop point: load at one rate until its verdict is certain or its time is over, and what came of it."""

import time
from contextlib import closing
from dataclasses import dataclass

import gevent
import numpy as np
from numpy.typing import NDArray

from ..load.arrivals import poisson_arrivals
from ..load.generator import Generator, Run
from ..load.request_log import RequestLog, quantile_of
from ..results.schema import Latency, Point, Purpose
from ..slo.objective import Objective
from ..slo.sequential_test import judge_point
from ..slo.stop_rule import is_over
from ..triton.server_metrics import Metrics, Window
from .disturbance import Machine
from .request_ledger import RequestLedger
from .shares import server_cpu_ms, shares_of
from .validity import LoadCost, invalid_reason

_LOOK_S = 0.25
# A generator that is later than this with its last requests is not waited for: what it did not send is counted.
_CATCH_UP_S = 1.0


@dataclass(frozen=True)
class Target:
    """The model that counts the requests, what makes the load, where the server's metrics are, and the machine.

    `servers` are the addresses of all, where requests are shared out to several.
    """

    model: str
    generator: Generator
    metrics: Metrics | None
    machine: Machine | None = None
    servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """How long a point lasts: `duration_s` at most after `warm_up_s`; it ends before `least_s` only for nothing."""

    warm_up_s: float
    duration_s: float
    least_s: float
    sequential: bool


@dataclass(frozen=True)
class PointSpec:
    """A point to measure: its rate in requests per second, why it is measured, its number, and the arrivals' seed.

    `offsets_s` are the times at which requests are due, warm-up included, ascending, shape [n]; None: Poisson arrivals.
    """

    rate_per_s: float
    purpose: Purpose
    number: int
    seed: int
    offsets_s: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class MeasuredPoint:
    """A point and the rows it came from."""

    point: Point
    rows: RequestLog


def measure_point(target: Target, objective: Objective, spec: PointSpec, timing: Timing) -> MeasuredPoint:
    """Offer `spec.rate_per_s` requests per second with Poisson arrivals and judge the objective.

    The warm-up is excluded. With `timing.sequential` the load ends as soon as the verdict is certain. Latency counts
    from the intended send time; errors and time-outs are misses. The point is invalid when the generator sent less than
    98 % of what was due, or its own delay (P95 of actual minus intended send time) exceeds 5 % of the limit, unless
    the server missed the objective even without that delay: a generator that lags only makes the load easier.
    """
    counted_from, total_s = timing.warm_up_s, timing.warm_up_s + timing.duration_s
    offsets_s = spec.offsets_s
    if offsets_s is None:
        offsets_s = poisson_arrivals(spec.rate_per_s, total_s, spec.seed)
    ledger = RequestLedger(offsets_s, objective.limit_ms)
    generator = target.generator
    # From before the load until after it: reading takes milliseconds, and would delay what is due then.
    watch = target.machine.watch() if target.machine else None
    run = generator.open(offsets_s)
    try:
        gevent.sleep(max(0.0, run.started_at + counted_from - time.perf_counter()))
        with closing(Window(target.metrics, target.model)) as window:
            ended = _watch(run, ledger, objective, timing)
            stages = window.stages()
        cpu_s, elapsed_s = run.cpu_s, time.perf_counter() - run.started_at
        cpu_ms = cpu_s * 1000 / max(1, ledger.answered)
        if not run.join(_CATCH_UP_S):
            run.stop()
            run.join()
        ledger.add(run.take())
        disturbance = watch.end() if watch else None
    finally:
        run.close()
        if watch:
            watch.close()
    rows = ledger.rows().between(counted_from, ended)
    due = ledger.due_between(counted_from, ended)
    cost = LoadCost(spec.rate_per_s, cpu_ms, generator.workers, generator.cores)
    point = _describe(rows, due, objective, spec, timing).model_copy(
        update={
            "duration_s": ended - counted_from,
            "error_reasons": run.errors_between(counted_from, ended),
            "invalid_reason": invalid_reason(rows, due, objective, cost),
            "generator_cpu_ms": cpu_ms,
            "generator_cores": cpu_s / elapsed_s,
            "server_cpu_ms": server_cpu_ms(watch.server_cpu_s if watch else None, ledger.answered),
            "server": stages,
            "server_missing": window.missing,
            "disturbance": disturbance,
            **shares_of(rows, target.servers, window.counted),
        }
    )
    return MeasuredPoint(point, rows)


def _watch(run: Run, ledger: RequestLedger, objective: Objective, timing: Timing) -> float:
    """Let the load run until its time is over or its verdict is certain; the moment at which counting ends."""
    counted_from, end = timing.warm_up_s, timing.warm_up_s + timing.duration_s
    while (left := run.started_at + end - time.perf_counter()) > 0:
        gevent.sleep(min(_LOOK_S, max(0.01, left)))
        complete_until_s = run.complete_until_s()
        ledger.add(run.take())
        if timing.sequential and is_over(ledger.fates, objective, counted_from, timing.least_s, complete_until_s):
            run.stop()
            return min(complete_until_s, end)
    return end


def _describe(rows: RequestLog, due: int, objective: Objective, spec: PointSpec, timing: Timing) -> Point:
    """The point as results.json has it, without what only the run itself knows."""
    judgement = judge_point(rows.missed(objective.limit_ms), ~rows.ok, objective)
    latencies = rows.answered().latency_ms
    return Point(
        number=spec.number,
        purpose=spec.purpose,
        rate_per_s=spec.rate_per_s,
        warm_up_s=timing.warm_up_s,
        duration_s=timing.duration_s,
        due=due,
        requests=len(rows),
        errors=int(np.count_nonzero(~rows.ok)),
        misses=int(np.count_nonzero(rows.missed(objective.limit_ms))),
        miss_share=judgement.missed.miss_share,
        miss_share_lower=judgement.missed.lower,
        miss_share_upper=judgement.missed.upper,
        kept=judgement.kept,
        certain=judgement.certain,
        latency=latency_summary(latencies) if len(latencies) else None,
        objective_quantile_ms=quantile_of(latencies, objective.quantile),
        send_delay_p95_ms=float(np.quantile(rows.delay_ms, 0.95)) if len(rows) else 0.0,
        generator_cpu_ms=0.0,
    )


def latency_summary(latencies_ms: NDArray[np.float64]) -> Latency:
    """Mean and quantiles of latencies in ms, shape [n]; zeros when there is none."""
    p50, p90, p95, p99 = (quantile_of(latencies_ms, share) or 0.0 for share in (0.5, 0.9, 0.95, 0.99))
    return Latency(
        mean_ms=float(latencies_ms.mean()) if len(latencies_ms) else 0.0,
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(latencies_ms.max(initial=0.0)),
    )
