"""Whether the load generator was strong enough, and how many processes would be."""

import statistics
from collections.abc import Sequence

from ..measurement.validity import workers_for
from .record import GeneratorNeed
from .trial import Trial


def generator_need(trials: Sequence[Trial]) -> GeneratorNeed | None:
    """The processes needed for the highest throughput seen; None when the best search met the server's own limit."""
    points = [point for trial in trials for point in trial.points if point.requests]
    best = max(trials, key=lambda trial: trial.rate_per_s or 0.0, default=None)
    if best is None or not points:
        return None
    if not (best.generator_limited or all(t.generator_limited for t in trials if t.points)):
        return None
    cpu_ms = statistics.median([point.generator_cpu_ms for point in points])
    seen = [trial.saturation.rate_per_s for trial in trials if trial.saturation is not None]
    rate = max([*seen, *(point.rate_per_s for point in points)])
    return GeneratorNeed(rate_per_s=rate, cpu_ms=cpu_ms, processes=workers_for(rate, cpu_ms))


def explain(need: GeneratorNeed, workers: int) -> str:
    """The finding in one sentence; `workers` is how many processes there were."""
    if need.processes <= workers:
        return (
            f"The load generator sent late, although {need.rate_per_s:.0f} requests/s at {need.cpu_ms:.2f} ms of CPU "
            f"time need no more than its {workers} processes: something else kept their machine busy"
        )
    return (
        f"The load generator was too weak: a request costs it {need.cpu_ms:.2f} ms of CPU time, and "
        f"{need.rate_per_s:.0f} requests/s need {need.processes} processes, each with a core of its own: "
        f"--workers {need.processes}"
    )
