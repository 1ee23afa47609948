"""Closed-loop load: a number of requests always in flight, for the latency-throughput curve and the first bracket."""

import time
from collections.abc import Callable, Iterator

import gevent
from locust.env import Environment

from .load import closed_loop_user
from .point import Target, latency_summary
from .results import SweepPoint
from .rows import Recorder, Rows
from .server_metrics import Window


def measure_closed(target: Target, concurrency: int, duration_s: float, warm_up_s: float) -> SweepPoint:
    """Keep `concurrency` requests in flight for `duration_s` after the warm-up; requests per second and latencies."""
    user = closed_loop_user(None)
    user.transport, user.model, user.protocol = target.transport, target.model, target.protocol
    environment = Environment(user_classes=[user])
    recorder = Recorder(environment)
    runner = environment.create_local_runner()
    # A user that is stopped finishes the request it is in.
    environment.stop_timeout = 60
    runner.start(concurrency, spawn_rate=concurrency)
    try:
        gevent.sleep(warm_up_s)
        window = Window(target.metrics, target.model)
        begin = time.perf_counter()
        gevent.sleep(duration_s)
        stages = window.stages()
        end = time.perf_counter()
    finally:
        runner.quit()
    rows = recorder.rows()
    inside = Rows(rows.table[(rows.done >= begin) & (rows.done < end)])
    ok = Rows(inside.table[inside.ok])
    return SweepPoint(
        concurrency=concurrency,
        duration_s=end - begin,
        requests=len(inside),
        errors=len(inside) - len(ok),
        rate_per_s=len(ok) / (end - begin),
        latency=latency_summary(ok.latency_ms),
        server=stages,
    )


def sweep(
    measure: Callable[[int], SweepPoint], largest: int, least_gain: float = 1.03, patience: int = 2
) -> Iterator[SweepPoint]:
    """1, 2, 4, … requests in flight up to `largest`, ended after `patience` doublings without a gain of 3 %."""
    best, without_gain, concurrency = 0.0, 0, 1
    while concurrency <= largest and without_gain < patience:
        point = measure(concurrency)
        yield point
        without_gain = 0 if point.rate_per_s > best * least_gain else without_gain + 1
        best = max(best, point.rate_per_s)
        concurrency *= 2
