"""A trace: requests per second over time, and the times at which its requests are due."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# The mean around a second is one over so many seconds, of about so many requests.
_SMOOTH_S, _SMOOTH_REQUESTS = (60.0, 900.0), 300.0


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

        Single times are kept only where nothing changes: thinned or pressed together they would be other traffic. The
        name says what was done: its rates and hours are no longer those of its source.
        """
        if time == rate == 1.0:
            return self
        expected = self.without_chance()
        said = (f", {time:g} times as fast" if time != 1 else "") + (f", {rate:g} times the rate" if rate != 1 else "")
        return replace(expected, name=self.name + said, step_s=self.step_s / time, rates=expected.rates * rate)

    def without_chance(self) -> "Trace":
        """The rates behind single requests; a trace of rates as it is.

        Requests that are counted by second vary by chance, as Poisson arrivals do. Whoever makes arrivals of these
        counts again, or multiplies them, would count chance twice: they would come in clumps that nobody sent. So each
        count is shrunk towards the mean around it by the share of its variance that chance explains (the estimator of
        James and Stein, as Efron and Morris have it, J. Am. Stat. Assoc. 70, 1975): of a Poisson process to the mean
        itself, while bursts that are more than chance stay.
        """
        if self.times_s is None:
            return self
        width = int(min(np.clip(_SMOOTH_REQUESTS / self.mean_per_s, *_SMOOTH_S) / self.step_s, len(self.rates)))
        mean = _around(self.rates, max(1, width))
        excess = float(((self.rates - mean) ** 2).sum() * self.step_s / mean.sum() / max(1 - 1 / max(width, 1), 1e-9))
        own = max(0.0, 1 - 1 / excess) if excess > 0 else 0.0
        rates = mean + own * (self.rates - mean)
        return replace(self, rates=rates * (self.rates.sum() / rates.sum()), times_s=None)

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


def _around(rates: Floats, steps: int) -> Floats:
    """The mean of about so many neighbours of each, itself in the middle; of fewer at both ends."""
    total = np.concatenate([[0.0], np.cumsum(rates)])
    places = np.arange(len(rates))
    first, last = np.maximum(places - steps // 2, 0), np.minimum(places + (steps - steps // 2), len(rates))
    return np.asarray((total[last] - total[first]) / (last - first))


def _means(rates: Floats, steps: int) -> Floats:
    """Means over every `steps` neighbours."""
    steps = min(steps, len(rates))
    total = np.concatenate([[0.0], np.cumsum(rates)])
    return np.asarray((total[steps:] - total[:-steps]) / steps)
