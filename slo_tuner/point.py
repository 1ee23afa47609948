"""One open-loop point: load at one rate until its verdict is certain or its time is over, and what came of it."""

import time
from dataclasses import dataclass

import gevent
import numpy as np
from locust.env import Environment
from numpy.typing import NDArray

from .arrivals import poisson_arrivals
from .histogram import Histogram
from .load import Arrivals, OpenLoopUser
from .objective import Objective
from .results import Latency, Point, Purpose
from .rows import Recorder, Rows
from .server_metrics import MetricsEndpoint, Window
from .transport import Transport
from .verdict import Judgement, judge

LEAST_SENT_SHARE = 0.98
MOST_DELAY_SHARE = 0.05
_LOOK_S = 0.25


@dataclass(frozen=True)
class Target:
    """The model under load, and how it is reached."""

    model: str
    protocol: str
    transport: Transport
    metrics: MetricsEndpoint | None


@dataclass(frozen=True)
class Timing:
    """How long a point lasts: `duration_s` at most after `warm_up_s`; it ends before `least_s` only for nothing."""

    warm_up_s: float
    duration_s: float
    least_s: float
    sequential: bool


@dataclass(frozen=True)
class MeasuredPoint:
    """A point and the rows it came from; times of the rows count from `start`."""

    point: Point
    rows: Rows
    start: float


def measure_point(
    target: Target, objective: Objective, rate: float, timing: Timing, number: int, purpose: Purpose, seed: int
) -> MeasuredPoint:
    """Offer `rate` requests per second with Poisson arrivals and judge the objective.

    The warm-up is excluded. With `timing.sequential` the load ends as soon as the verdict is certain. Latency counts
    from the intended send time; errors and time-outs are misses. The point is void when the generator sent less than
    98 % of what was due, or its own delay (P95 of actual minus intended send time) exceeds 5 % of the limit, unless
    the server missed the objective even without that delay: a generator that lags only makes the load easier.
    """
    total_s = timing.warm_up_s + timing.duration_s
    arrivals = Arrivals(poisson_arrivals(rate, total_s, seed))
    environment = Environment(user_classes=[_user_class(target, arrivals)])
    recorder = Recorder(environment)
    runner = environment.create_local_runner()
    cpu_before = time.process_time()
    runner.start(1, spawn_rate=1)
    start = arrivals.started_at.get(timeout=30)
    counted_from = start + timing.warm_up_s
    gevent.sleep(max(0.0, counted_from - time.perf_counter()))
    window = Window(target.metrics, target.model)
    try:
        ended = _watch(arrivals, recorder, objective, counted_from, timing)
        window_stages = window.stages()
        cpu = time.process_time() - cpu_before
        answered = max(1, len(recorder))
        arrivals.finished.wait()
    finally:
        window.close()
        arrivals.stop.set()
        runner.quit()
    rows = recorder.rows().between(counted_from, ended)
    due = _due_between(arrivals, start, counted_from, ended)
    judgement = judge(rows.missed(objective.limit_ms), objective.miss_share)
    point = _describe(rows, due, judgement, objective, rate, timing, number, purpose).model_copy(
        update={
            "duration_s": ended - counted_from,
            "error_reasons": dict(recorder.errors),
            "generator_cpu_ms": cpu * 1000 / answered,
            "server": window_stages,
        }
    )
    return MeasuredPoint(point, rows, counted_from)


def _user_class(target: Target, arrivals: Arrivals) -> type[OpenLoopUser]:
    attributes = {
        "abstract": False,
        "arrivals": arrivals,
        "transport": target.transport,
        "model": target.model,
        "protocol": target.protocol,
    }
    return type("OpenLoop", (OpenLoopUser,), attributes)


def _watch(arrivals: Arrivals, recorder: Recorder, objective: Objective, counted_from: float, timing: Timing) -> float:
    """Let the load run until its time is over or its verdict is certain; the moment at which counting ends."""
    limit_s = objective.limit_ms / 1000
    end = counted_from + timing.duration_s
    while time.perf_counter() < end:
        gevent.sleep(min(_LOOK_S, max(0.01, end - time.perf_counter())))
        now = time.perf_counter()
        if not timing.sequential or now < counted_from + timing.least_s:
            continue
        known = _fates(arrivals, recorder.rows(), counted_from, now - limit_s, objective.limit_ms)
        judgement = judge(known, objective.miss_share)
        # A queue that still grows has not shown its misses yet: what is kept must also be kept lately.
        lately = known[len(known) // 2 :]
        if judgement.certain and (not judgement.kept or lately.mean() <= objective.miss_share):
            arrivals.stop.set()
            return min(now, end)
    return end


def _fates(arrivals: Arrivals, rows: Rows, since: float, until: float, limit_ms: float) -> NDArray[np.bool_]:
    """Whether each request due in [since, until) was missed, in the order of their due times.

    Those without an answer yet are over the limit already, as `until` lies the limit ago.
    """
    start = arrivals.started_at.get()
    offsets = np.asarray(arrivals.offsets_s)[: arrivals.due] + start
    due = offsets[(offsets >= since) & (offsets < until)]
    answered = rows.between(since, until)
    missed = np.ones(len(due), dtype=bool)
    position = np.clip(np.searchsorted(due, answered.due), 0, max(0, len(due) - 1))
    if len(due):
        missed[position] = answered.missed(limit_ms)
    return missed


def _due_between(arrivals: Arrivals, start: float, since: float, until: float) -> int:
    offsets = np.asarray(arrivals.offsets_s) + start
    return int(((offsets >= since) & (offsets < until)).sum())


def _describe(
    rows: Rows,
    due: int,
    judgement: Judgement,
    objective: Objective,
    rate: float,
    timing: Timing,
    number: int,
    purpose: Purpose,
) -> Point:
    """The point as results.json has it, without what only the run itself knows."""
    errors = int((~rows.ok).sum())
    error_kept = errors <= objective.error_share * max(1, len(rows))
    missed_by_server = (
        float(rows.missed_by_server(objective.limit_ms).mean()) > objective.miss_share if len(rows) else True
    )
    latencies = rows.latency_ms
    return Point(
        number=number,
        purpose=purpose,
        rate_per_s=rate,
        warm_up_s=timing.warm_up_s,
        duration_s=timing.duration_s,
        due=due,
        requests=len(rows),
        errors=errors,
        misses=int(rows.missed(objective.limit_ms).sum()),
        miss_share=judgement.miss_share,
        miss_share_lower=judgement.lower,
        miss_share_upper=judgement.upper,
        kept=judgement.kept and error_kept,
        certain=judgement.certain,
        void_reason="" if missed_by_server else _void_reason(rows, due, objective),
        latency=latency_summary(latencies),
        objective_quantile_ms=float(np.quantile(latencies, objective.quantile)) if len(rows) else float("nan"),
        histogram=Histogram.of(latencies),
        send_delay_p95_ms=float(np.quantile(rows.delay_ms, 0.95)) if len(rows) else 0.0,
        generator_cpu_ms=0.0,
    )


def _void_reason(rows: Rows, due: int, objective: Objective) -> str:
    if len(rows) < LEAST_SENT_SHARE * due:
        return f"the load generator sent {len(rows)} of {due} requests that were due"
    delay = float(np.quantile(rows.delay_ms, 0.95))
    allowed = MOST_DELAY_SHARE * objective.limit_ms
    if delay > allowed:
        return f"the load generator sent late: P95 of its delay is {delay:.1f} ms, {allowed:.1f} ms are allowed"
    return ""


def latency_summary(latencies_ms: NDArray[np.float64]) -> Latency:
    """Mean and quantiles of latencies in ms, shape [n]; zeros when there is none."""
    if len(latencies_ms) == 0:
        return Latency(mean_ms=0, p50_ms=0, p90_ms=0, p95_ms=0, p99_ms=0, max_ms=0)
    p50, p90, p95, p99 = (float(value) for value in np.quantile(latencies_ms, [0.5, 0.9, 0.95, 0.99]))
    return Latency(
        mean_ms=float(latencies_ms.mean()),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(latencies_ms.max()),
    )
