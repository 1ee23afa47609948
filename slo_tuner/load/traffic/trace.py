"""A trace: requests per second over time, and the times at which its requests are due."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """`rates` are mean requests per second of each step of `step_s` seconds, shape [steps], from 0 s on.

    `times_s` are the times of the single requests in seconds from the start, ascending, shape [requests], where they
    are known; then `rates` count them. `start` is when it was recorded, in UTC, empty where nobody knows. `filled` is
    how many steps were missing and are guessed.
    """

    name: str
    step_s: float
    rates: Floats
    times_s: Floats | None = None
    start: str = ""
    filled: int = 0

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.rates) * self.step_s

    @property
    def requests(self) -> float:
        """How many requests it has."""
        return float(self.rates.sum() * self.step_s)

    @property
    def mean_per_s(self) -> float:
        """Mean requests per second."""
        return float(self.rates.mean())

    @property
    def peak_per_s(self) -> float:
        """Requests per second of the busiest minute, or of the busiest step where steps are longer."""
        return float(_means(self.rates, max(1, round(60 / self.step_s))).max())

    def at(self, step_s: float) -> Floats:
        """The rates at another step, shape [ceil(duration / step)]; every request stays in its time."""
        edges = np.arange(len(self.rates) + 1) * self.step_s
        total = np.concatenate([[0.0], np.cumsum(self.rates * self.step_s)])
        wanted = np.minimum(np.arange(int(np.ceil(self.duration_s / step_s - 1e-9)) + 1) * step_s, edges[-1])
        return np.asarray(np.diff(np.interp(wanted, edges, total)) / np.diff(wanted))

    def scaled(self, time: float = 1.0, rate: float = 1.0) -> "Trace":
        """The same shape, `time` times faster, with `rate` times its requests per second.

        Single times are kept only where nothing changes: thinned or pressed together they would be other traffic.
        """
        if time == rate == 1.0:
            return self
        return replace(self, step_s=self.step_s / time, rates=self.rates * rate, times_s=None)

    def cut(self, seconds: float) -> "Trace":
        """Its first `seconds`, in whole steps; at least one."""
        steps = max(1, int(seconds / self.step_s + 1e-9))
        if steps >= len(self.rates):
            return self
        times = self.times_s[self.times_s < steps * self.step_s] if self.times_s is not None else None
        return replace(self, rates=self.rates[:steps], times_s=times)

    def arrivals(self, seed: int) -> Floats:
        """When requests are due, in seconds from the start, ascending, shape [n]: as recorded, or of a Poisson process.

        The process follows the rates; each step has the number of requests that its rate says, what is left of one
        carried on to the next, so that no request is lost to rounding (see `arrivals.poisson_arrivals`).
        """
        if self.times_s is not None:
            return self.times_s
        counts = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(self.rates * self.step_s)]) + 1e-9)).astype(int)
        starts = np.repeat(np.arange(len(counts)) * self.step_s, counts)
        within = np.random.default_rng(seed).uniform(0.0, self.step_s, len(starts))
        return np.sort(starts + within)


def _means(rates: Floats, steps: int) -> Floats:
    """Means over every `steps` neighbours."""
    steps = min(steps, len(rates))
    total = np.concatenate([[0.0], np.cumsum(rates)])
    return np.asarray((total[steps:] - total[:-steps]) / steps)
