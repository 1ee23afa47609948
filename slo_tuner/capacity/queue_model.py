"""Predicts the highest rate within an objective from the service time: every configuration simulated side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..load.arrivals import poisson_arrivals
from .configuration import Configuration

Floats = NDArray[np.float64]
_REQUESTS = 1500
_WARM_UP = 150
_RATES = np.geomspace(0.25, 1.0, 14)


@dataclass(frozen=True)
class ServiceTime:
    """Seconds to serve a batch of b while k instances are busy: own + (fixed + item * b) * max(1, k / width) * ...

    `own` is work that instances do beside one another; the rest shares the processor, which takes `width` instances
    at full speed (less than all of them slows each down in proportion). `friction` is what every further busy instance
    costs on top. After the linear service time of batches in Clipper (Crankshaw et al., NSDI 2017, section 4.3) and
    the contention term of the universal scalability law (Gunther, Guerrilla Capacity Planning, 2007, chapter 4).
    """

    own: float
    fixed: float
    item: float
    width: float
    friction: float

    def seconds(self, batch: Floats, busy: Floats) -> Floats:
        """Service time in seconds; shapes broadcast."""
        shared = (self.fixed + self.item * batch) * np.maximum(1.0, busy / self.width)
        return np.asarray(self.own + shared * (1 + self.friction * (busy - 1)))

    def saturation_per_s(self, batch: Floats, instances: Floats) -> Floats:
        """Requests per second with every instance always busy with batches of `batch`."""
        return np.asarray(instances * batch / self.seconds(batch, instances))


def best_rates(
    configurations: Sequence[Configuration], service: ServiceTime, limit_s: float, allowed_share: float
) -> Floats:
    """The highest rate, in requests per second, at which each configuration keeps the objective; 0 for none.

    `limit_s` is the limit less what a request spends outside of the server. Each configuration is simulated at
    `_RATES` of its own saturation; the rate is read from the curve of misses between them.
    """
    batches = np.array([c.batch for c in configurations], dtype=np.float64)
    instances = np.array([c.instances for c in configurations], dtype=np.float64)
    saturation = service.saturation_per_s(batches, instances)
    rates = saturation[:, None] * _RATES
    repeated = [c for c in configurations for _ in _RATES]
    shares = miss_shares(repeated, service, rates.ravel(), limit_s).reshape(rates.shape)
    return np.array([_edge(*row, allowed_share) for row in zip(rates, shares, strict=True)])


def _edge(rates: Floats, shares: Floats, allowed_share: float) -> float:
    """The rate below the first one that misses too many, interpolated in the logarithm of the shares."""
    missed = np.flatnonzero(shares > allowed_share)
    if len(missed) == 0:
        return float(rates[-1])
    first = int(missed[0])
    if first == 0:
        return 0.0
    low, high = (np.log(max(shares[i], 1e-3)) for i in (first - 1, first))
    part = (np.log(allowed_share) - low) / max(high - low, 1e-9)
    return float(rates[first - 1] * (rates[first] / rates[first - 1]) ** min(max(part, 0.0), 1.0))


def miss_shares(configurations: Sequence[Configuration], service: ServiceTime, rates: Floats, limit_s: float) -> Floats:
    """The share of requests later than `limit_s` for each pair of a configuration and a rate; shapes [lanes].

    All lanes meet the same Poisson arrivals, scaled to their rates, so that differences between them are not those of
    their luck. The queue is Triton's dynamic batcher: a free instance takes what waits, up to the largest batch, or
    waits for a preferred batch as long as the delay allows.
    """
    lanes = np.arange(len(configurations))
    arrivals = poisson_arrivals(1.0, float(_REQUESTS), seed=1)
    most = np.array([c.batch for c in configurations])
    wanted = np.array([(c.preferred or (c.batch,))[-1] for c in configurations])
    delay = np.array([c.delay_us / 1e6 for c in configurations])
    free = np.full((len(lanes), max(c.instances for c in configurations)), np.inf)
    for lane, configuration in enumerate(configurations):
        free[lane, : configuration.instances] = 0.0
    at = np.zeros(len(lanes), dtype=np.int64)
    late = np.zeros(len(lanes))
    while (at < _REQUESTS).any():
        first = np.minimum(at, _REQUESTS - 1)
        instance = free.argmin(axis=1)
        start = np.maximum(free[lanes, instance], arrivals[first] / rates)
        # The batcher waits until the preferred batch is there, or the oldest request has waited for the delay.
        filled = arrivals[np.minimum(first + wanted - 1, _REQUESTS - 1)] / rates
        start = np.maximum(start, np.minimum(filled, arrivals[first] / rates + delay))
        waiting = np.searchsorted(arrivals, start * rates * (1 + 1e-12), side="right") - at
        batch = np.where(waiting >= wanted, np.where(most == wanted, most, wanted), waiting)
        batch = np.clip(np.minimum(batch, most), 1, np.maximum(_REQUESTS - at, 1))
        busy = 1 + ((free > start[:, None]) & np.isfinite(free)).sum(axis=1)
        done = start + service.seconds(batch.astype(np.float64), busy.astype(np.float64))
        free[lanes, instance] = done
        too_early = np.searchsorted(arrivals, (done - limit_s) * rates)
        late += np.clip(np.minimum(too_early, at + batch) - np.maximum(at, _WARM_UP), 0, None)
        at = np.minimum(at + batch, _REQUESTS)
    return np.asarray(late / (_REQUESTS - _WARM_UP))
