"""Closed-loop load: a number of requests always in flight, for the latency-throughput curve and the first bracket."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import gevent

from ..load.request_log import RequestLog
from ..results.schema import SweepPoint
from ..triton.server_metrics import Window
from .open_loop import Target, latency_summary

# A server that fails more than this share of the requests is full: with more in flight it would fail more.
_MOST_FAILED = 0.01


def measure_closed(target: Target, concurrency: int, duration_s: float, warm_up_s: float) -> SweepPoint:
    """Keep `concurrency` requests in flight for `duration_s` after the warm-up; requests per second and latencies."""
    watch = target.machine.watch() if target.machine else None
    run = target.generator.closed(concurrency)
    begin, end = warm_up_s, warm_up_s + duration_s
    try:
        gevent.sleep(max(0.0, run.started_at + begin - time.perf_counter()))
        with closing(Window(target.metrics, target.model)) as window:
            gevent.sleep(max(0.0, run.started_at + end - time.perf_counter()))
            stages = window.stages()
        run.stop()
        run.join()
        rows, cpu_s = run.take(), run.cpu_s
        disturbance = watch.end() if watch else None
    finally:
        run.close()
        if watch:
            watch.close()
    inside = RequestLog(rows.table[(rows.done >= begin) & (rows.done < end)])
    ok = inside.answered()
    return SweepPoint(
        concurrency=concurrency,
        duration_s=duration_s,
        requests=len(inside),
        errors=len(inside) - len(ok),
        rate_per_s=len(ok) / duration_s,
        latency=latency_summary(ok.latency_ms),
        generator_cpu_ms=cpu_s * 1000 / max(1, len(rows)),
        server=stages,
        disturbance=disturbance,
    )


def sweep(
    measure: Callable[[int], SweepPoint], largest: int, least_gain: float = 1.03, patience: int = 2
) -> Iterator[SweepPoint]:
    """1, 2, 4, … requests in flight up to `largest`, ended after `patience` doublings without a gain of 3 %.

    Where a request takes half of a point, the next point would say nothing, and its requests might time out. Where more
    than 1 % of the requests failed, the next point would only show more failures.
    """
    best, without_gain, concurrency = 0.0, 0, 1
    while concurrency <= largest and without_gain < patience:
        point = measure(concurrency)
        yield point
        without_gain = 0 if point.rate_per_s > best * least_gain else without_gain + 1
        best = max(best, point.rate_per_s)
        if point.latency.p50_ms > point.duration_s * 500 or point.errors > _MOST_FAILED * point.requests:
            break
        concurrency *= 2
