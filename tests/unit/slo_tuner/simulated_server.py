"""A server of known capacity: Poisson arrivals, one first-come first-served queue, service times with little noise."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.sequential_test import judge_point
from slo_tuner.slo.stop_rule import Fates, is_over


def latencies_ms(arrivals_s: NDArray[np.float64], service_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time in the system of each request, Lindley's recursion in closed form; shapes [n]."""
    done = np.cumsum(service_s)
    starts = np.maximum.accumulate(arrivals_s - (done - service_s))
    return np.asarray((starts + done - arrivals_s) * 1000)


def shed(arrivals_s: NDArray[np.float64], rate_per_s: float, burst: float = 20.0) -> NDArray[np.bool_]:
    """Which arrivals a token bucket refuses that fills at a rate and holds a burst; shapes [n]."""
    refused, tokens, before = np.zeros(len(arrivals_s), dtype=bool), burst, 0.0
    for number, now in enumerate(arrivals_s.tolist()):
        tokens, before = min(burst, tokens + (now - before) * rate_per_s), now
        refused[number] = tokens < 1
        tokens -= not refused[number]
    return refused


@dataclass(frozen=True)
class Point:
    """What the search sees of a simulated point."""

    rate_per_s: float
    kept: bool
    requests: int
    misses: int
    seconds: float
    invalid: bool = False
    errors: int = 0
    purpose: str = ""


@dataclass
class SimulatedServer:
    """Answers one request at a time in `service_s` seconds, give or take `noise`; sheds what is above a rate."""

    service_s: float
    limit_ms: float
    seed: int
    noise: float = 0.1
    seconds: float = 20.0
    sheds_above_per_s: float = math.inf
    objective: Objective | None = None
    points: list[Point] = field(default_factory=list)

    def measure(self, rate: float, purpose: str) -> Point:
        """One point as slo_tuner measures it: warm-up excluded, ended by the rule of real points."""
        objective, end = self.objective or Objective(limit_ms=self.limit_ms), self.seconds + 1
        seed = self.seed * 1000 + len(self.points)
        arrivals = poisson_arrivals(rate, end, seed)
        service = self.service_s * np.random.default_rng(seed + 7).normal(1, self.noise, len(arrivals)).clip(0.3, 3)
        failed = np.zeros(len(arrivals), dtype=bool)
        if self.sheds_above_per_s < math.inf:
            failed = shed(arrivals, self.sheds_above_per_s)
            service[failed] = 0.0
        fates = Fates(arrivals, failed | (latencies_ms(arrivals, service) > self.limit_ms), failed)
        if purpose != "confirm":
            looks = np.arange(3.0, end, 0.5)
            end = next((now for now in looks if is_over(fates, objective, 1.0, 2.0, now)), end)
        counted = fates.between(1.0, end)
        point = Point(
            rate_per_s=rate,
            kept=judge_point(counted.missed, counted.failed, objective).kept,
            requests=len(counted),
            misses=int(counted.missed.sum()),
            seconds=end - 1,
            errors=int(counted.failed.sum()),
            purpose=purpose,
        )
        self.points.append(point)
        return point


def true_capacity(service_s: float, limit_ms: float, noise: float = 0.1) -> float:
    """The highest rate at which 95 % of a very long run are within the limit, in requests per second."""
    low, high = 0.2 / service_s, 1.0 / service_s
    while high / low > 1.002:
        rate = (low + high) / 2
        arrivals = poisson_arrivals(rate, 200_000 / rate, 1)
        service = service_s * np.random.default_rng(2).normal(1, noise, len(arrivals)).clip(0.3, 3)
        share = float((latencies_ms(arrivals, service) > limit_ms).mean())
        low, high = (rate, high) if share <= 0.05 else (low, rate)
    return (low + high) / 2
