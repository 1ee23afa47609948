"""The queue of one Pod, event by event: many lanes side by side, each with its own arrivals and its own start."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..capacity.configuration import Configuration
from ..capacity.queue_model import Floats, ServiceTime

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class PodModel:
    """One Pod: how it is configured, how long its batches take, and what a request spends outside of the server.

    `variation` is the standard deviation of service times over their mean: 0 for a model that takes the same time
    for the same batch, 1 for exponential times; between them they are of a gamma distribution.
    """

    configuration: Configuration
    service: ServiceTime
    outside_s: float = 0.0
    variation: float = 0.0

    @property
    def saturation_per_s(self) -> float:
        """Requests per second with every instance always busy with full batches."""
        batch, instances = np.float64(self.configuration.batch), np.float64(self.configuration.instances)
        return float(self.service.saturation_per_s(np.asarray(batch), np.asarray(instances)))

    def batch_at(self, rate_per_s: float) -> float:
        """About how large batches are at a rate: those that arrive while the others are served."""
        batch, most, instances = 1.0, self.configuration.batch, self.configuration.instances
        for _ in range(50):
            took = float(self.service.seconds(np.asarray(batch), np.asarray(float(instances))))
            batch = min(max(rate_per_s * took / instances, 1.0), float(most))
        return batch


@dataclass(frozen=True)
class Played:
    """What became of each lane's requests that arrived within its time; all shapes [lanes].

    `late` took longer than the limit, `wait_s` is what they waited in all, `waiting` how many wait at the end, and
    `busy` the share of the instances' time that they worked.
    """

    arrived: Floats
    late: Floats
    wait_s: Floats
    waiting: Floats
    busy: Floats


@dataclass(frozen=True)
class Lanes:
    """Lanes to play: `waiting` requests at the start, shape [lanes], and Poisson arrivals of one rate after it.

    `groups`, which sum up to the lanes, are how many neighbours begin alike. Their numbers of arrivals are not drawn
    but spread evenly over the Poisson distribution, each the middle of an equal share of it: so that of few lanes the
    mean load is right, too.
    """

    waiting: Whole
    rate_per_s: float
    seconds: float
    limit_s: float
    groups: tuple[int, ...] = ()


def play(pod: PodModel, lanes: Lanes, seed: int) -> Played:
    """Play every lane until all requests that arrived within `seconds` are served.

    The queue is Triton's dynamic batcher, as in `capacity.queue_model.miss_shares`. Arrivals go on after `seconds`, so
    that the last batches are as full as others. At the start instances are as they are found at such a moment: all of
    them busy where requests wait, else as many as Poisson arrivals keep busy, each with what is left of its service.
    """
    random = np.random.default_rng(seed)
    count, most = len(lanes.waiting), int(lanes.waiting.max())
    arrivals = _arrivals(lanes, most, pod.configuration.batch, random)
    free = _busy_until(pod, lanes, random)
    configuration = pod.configuration
    wanted = (configuration.preferred or (configuration.batch,))[-1]
    wide = configuration.batch
    at = most - lanes.waiting
    late, wait, waiting = (np.zeros(count) for _ in range(3))
    busy = np.minimum(free, lanes.seconds).sum(axis=1)
    while len(lane := np.flatnonzero(arrivals[np.arange(count), at] <= lanes.seconds)):
        here = at[lane]
        instance = free[lane].argmin(axis=1)
        first = arrivals[lane, here]
        start = np.maximum(free[lane, instance], first)
        # The batcher waits until the preferred batch is there, or the oldest request has waited for the delay.
        filled = arrivals[lane, here + wanted - 1]
        start = np.maximum(start, np.minimum(filled, first + configuration.delay_us / 1e6))
        # A full batch's arrivals are looked at only where some lane has as many: most are far smaller.
        while wide < configuration.batch and (arrivals[lane, here + wide - 1] <= start).any():
            wide = min(2 * wide, configuration.batch)
        ahead = np.arange(wide)
        window = arrivals[lane[:, None], here[:, None] + ahead]
        there = (window <= start[:, None]).sum(axis=1)
        fullest = int(there.max())
        batch = np.where(there >= wanted, min(wanted, configuration.batch), there)
        if configuration.batch == wanted:
            batch = np.minimum(there, configuration.batch)
        batch = np.maximum(batch, 1)
        working = 1.0 + (free[lane] > start[:, None]).sum(axis=1)
        took = pod.service.seconds(batch.astype(np.float64), working) * _varied(pod, len(lane), random)
        done = start + took
        free[lane, instance] = done
        inside = (ahead < batch[:, None]) & (window <= lanes.seconds)
        counted = inside & (here[:, None] + ahead >= most)
        late[lane] += (counted & (done[:, None] - window > lanes.limit_s)).sum(axis=1)
        wait[lane] += np.where(counted, start[:, None] - window, 0.0).sum(axis=1)
        waiting[lane] += np.where(start > lanes.seconds, inside.sum(axis=1), 0)
        busy[lane] += np.clip(np.minimum(done, lanes.seconds) - start, 0, None)
        at[lane] = here + batch
        wide = min(max(4, 2 * fullest), wide)
    arrived = ((arrivals[:, most:] <= lanes.seconds).sum(axis=1)).astype(np.float64)
    return Played(arrived, late, wait, waiting, busy / (lanes.seconds * configuration.instances))


def _arrivals(lanes: Lanes, most: int, batch: int, random: np.random.Generator) -> Floats:
    """Arrival times, shape [lanes, n]: those that wait already at 0, a Poisson process, and a batch of infinity."""
    count = len(lanes.waiting)
    if lanes.rate_per_s <= 0:
        return np.concatenate([np.zeros((count, most)), np.full((count, batch), np.inf)], axis=1)
    if lanes.groups:
        levels = np.concatenate([(np.arange(size) + 0.5) / size for size in lanes.groups])
        counts = _poisson_quantiles(lanes.rate_per_s * lanes.seconds, levels)
    else:
        counts = random.poisson(lanes.rate_per_s * lanes.seconds, count)
    expected = lanes.rate_per_s * lanes.limit_s
    wide = int(counts.max(initial=0) + expected + 6 * np.sqrt(expected) + 10)
    sums = np.cumsum(random.standard_exponential((count, wide + 1)), axis=1)
    # Given their number, the times of a Poisson process are independent and uniform, and those in ascending order are
    # sums of exponential gaps over the sum of one gap more. After it the gaps are as they are.
    own = np.arange(wide) < counts[:, None]
    whole = sums[np.arange(count), counts][:, None]
    later = lanes.seconds + (sums[:, 1:] - whole) / lanes.rate_per_s
    in_turn = np.where(own, sums[:, :-1] * (lanes.seconds / whole), later)
    return np.concatenate([np.zeros((count, most)), in_turn, np.full((count, batch), np.inf)], axis=1)


def _poisson_quantiles(mean: float, levels: Floats) -> Whole:
    """The smallest numbers that a Poisson variable exceeds with no more than one minus each level."""
    numbers = np.arange(int(mean + 8 * math.sqrt(mean) + 20))
    logs = numbers * math.log(mean) - mean - np.cumsum(np.log(np.maximum(numbers, 1)))
    return np.searchsorted(np.cumsum(np.exp(logs)), levels).astype(np.int64)


def _busy_until(pod: PodModel, lanes: Lanes, random: np.random.Generator) -> Floats:
    """When each instance becomes free, shape [lanes, instances]."""
    instances, count = pod.configuration.instances, len(lanes.waiting)
    batch = pod.batch_at(lanes.rate_per_s)
    took = float(pod.service.seconds(np.asarray(batch), np.asarray(float(instances))))
    offered = lanes.rate_per_s / batch * took
    weights = np.cumsum(np.concatenate([[1.0], np.cumprod(offered / np.arange(1, instances + 1))]))
    working = np.searchsorted(weights / weights[-1], random.uniform(size=count))
    working = np.where(lanes.waiting > 0, instances, np.minimum(working, instances))
    # What is left of a service that is met at a random moment: a random part of one that is met in proportion to
    # its length (the inspection paradox); of a gamma distribution that is one of a shape larger by 1.
    left = took * random.uniform(size=(count, instances))
    if pod.variation > 0:
        shape = 1 / pod.variation**2
        left *= random.gamma(shape + 1, 1 / shape, (count, instances))
    return np.where(np.arange(instances) < working[:, None], left, 0.0)


def _varied(pod: PodModel, count: int, random: np.random.Generator) -> Floats | float:
    if pod.variation <= 0:
        return 1.0
    shape = 1 / pod.variation**2
    return random.gamma(shape, 1 / shape, count)
