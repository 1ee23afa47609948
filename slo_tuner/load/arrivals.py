"""When requests are due in an open loop."""

import random
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray


def poisson_arrivals(rate_per_s: float, duration_s: float, seed: int) -> NDArray[np.float64]:
    """Send times in seconds from the start, shape [count], ascending, of a Poisson process of `rate_per_s`.

    The process is conditioned on its count, `round(rate_per_s * duration_s)` (at least 1): given the count, the
    times of a Poisson process are independent and uniform (Kingman, Poisson Processes, 1993, section 2.4). Gaps,
    bursts and queues are those of Poisson arrivals, while the offered rate is exactly the one asked for; without
    that, 300 arrivals would miss it by 6 % (one standard deviation) and the search would follow the noise.
    """
    count = max(1, round(rate_per_s * duration_s))
    return np.sort(np.random.default_rng(seed).uniform(0.0, duration_s, count))


def endless_arrivals(rate_per_s: float | Callable[[], float], seed: int | None = None) -> Iterator[float]:
    """Send times in seconds from the start of a Poisson process that nobody knows the end of.

    `rate_per_s` is its rate; a function is asked for it before each arrival.
    """
    now_s, generator = 0.0, random.Random(seed)
    while True:
        now_s += generator.expovariate(rate_per_s() if callable(rate_per_s) else rate_per_s)
        yield now_s
