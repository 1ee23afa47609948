"""A server of known capacity: Poisson arrivals, one first-come first-served queue, service times with little noise."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.slo.sequential_test import judge


def latencies_ms(arrivals_s: NDArray[np.float64], service_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time in the system of each request, Lindley's recursion in closed form; shapes [n]."""
    done = np.cumsum(service_s)
    starts = np.maximum.accumulate(arrivals_s - (done - service_s))
    return np.asarray((starts + done - arrivals_s) * 1000)


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


@dataclass
class SimulatedServer:
    """Answers one request at a time in `service_s` seconds, give or take `noise`."""

    service_s: float
    limit_ms: float
    seed: int
    noise: float = 0.1
    seconds: float = 20.0
    points: list[Point] = field(default_factory=list)

    def measure(self, rate: float, purpose: str) -> Point:
        """One point as slo_tuner measures it: warm-up excluded, ended when its verdict is certain."""
        seconds = self.seconds
        seed = self.seed * 1000 + len(self.points)
        arrivals = poisson_arrivals(rate, seconds + 1, seed)
        service = self.service_s * np.random.default_rng(seed + 7).normal(1, self.noise, len(arrivals)).clip(0.3, 3)
        misses = latencies_ms(arrivals, service) > self.limit_ms
        counted = arrivals >= 1
        arrivals, misses = arrivals[counted], misses[counted]
        for now in np.arange(3.0, seconds + 1.001, 0.5):
            known = misses[arrivals <= now - self.limit_ms / 1000]
            judgement = judge(known, 0.05)
            if judgement.certain and purpose != "confirm":
                break
        else:
            judgement = judge(misses, 0.05)
            now = seconds
        point = Point(rate, judgement.kept, judgement.requests, round(judgement.miss_share * judgement.requests), now)
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
