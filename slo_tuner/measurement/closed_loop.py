"""Closed-loop load: a number of requests always in flight, for the latency-throughput curve and the first bracket."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import gevent
import numpy as np

from ..load.request_log import RequestLog
from ..results.schema import SweepPoint
from ..triton.server_metrics import Window
from .open_loop import Target, latency_summary
from .shares import server_cpu_ms, shares_of

# A server that fails more than this share of the requests is full: with more in flight it would fail more.
_MOST_FAILED = 0.01
_LEAST_ENDED = 3
_LOOK_S = 0.1


def measure_closed(target: Target, concurrency: int, duration_s: float, warm_up_s: float) -> SweepPoint:
    """Keep `concurrency` requests in flight for `duration_s` after the warm-up; requests per second and latencies.

    Where requests take longer than that, it lasts until a few have ended, or the first has failed: their time-out
    bounds it.
    """
    watch = target.machine.watch() if target.machine else None
    run = target.generator.closed(concurrency)
    begin, end = warm_up_s, warm_up_s + duration_s
    parts: list[RequestLog] = []
    try:
        gevent.sleep(max(0.0, run.started_at + begin - time.perf_counter()))
        with closing(Window(target.metrics, target.model)) as window:
            gevent.sleep(max(0.0, run.started_at + end - time.perf_counter()))
            parts.append(run.take())
            while not _enough(ended := _ended(parts, begin, float("inf"))):
                gevent.sleep(_LOOK_S)
                parts.append(run.take())
            # Longer than asked for: up to the last of the few answers that it waited for.
            end = max(end, float(np.nextafter(ended.done.max(), np.inf))) if _few(parts, begin, end) else end
            stages = window.stages()
        run.stop()
        run.join()
        parts.append(run.take())
        cpu_s, elapsed_s = run.cpu_s, time.perf_counter() - run.started_at
        disturbance = watch.end() if watch else None
    finally:
        run.close()
        if watch:
            watch.close()
    inside = _ended(parts, begin, end)
    ok, ended_at_all = inside.answered(), sum(len(part) for part in parts)
    # A request that was sent in the warm-up and failed after it is the only one where nothing is answered in time.
    reasons = run.errors_between(begin, end) or (
        run.errors_between(float("-inf"), end) if len(ok) < len(inside) else {}
    )
    return SweepPoint(
        concurrency=concurrency,
        duration_s=end - begin,
        requests=len(inside),
        errors=len(inside) - len(ok),
        error_reasons=reasons,
        rate_per_s=len(ok) / (end - begin),
        latency=latency_summary(ok.latency_ms),
        generator_cpu_ms=cpu_s * 1000 / max(1, ended_at_all),
        generator_cores=cpu_s / elapsed_s,
        server_cpu_ms=server_cpu_ms(watch.server_cpu_s if watch else None, ended_at_all),
        server=stages,
        server_missing=window.missing,
        disturbance=disturbance,
        **shares_of(inside, target.servers, window.counted),
    )


def _ended(parts: Sequence[RequestLog], begin: float, end: float) -> RequestLog:
    """The requests that got their answers, or failed, in [begin, end)."""
    rows = RequestLog.joined(parts)
    return RequestLog(rows.table[(rows.done >= begin) & (rows.done < end)])


def _enough(ended: RequestLog) -> bool:
    """Whether a few requests have ended; where none was answered, one failure says it all."""
    return len(ended) >= _LEAST_ENDED or (len(ended) > 0 and not ended.ok.any())


def _few(parts: Sequence[RequestLog], begin: float, end: float) -> bool:
    return not _enough(_ended(parts, begin, end))


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
