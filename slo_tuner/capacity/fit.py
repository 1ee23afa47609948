"""Fits the service time to what short closed loops measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from .queue_model import Floats, ServiceTime

# Relative error of one short closed loop, and how far, in powers of e, the shape may lie from its prior.
_NOISE = 0.03
# The prior: half of a single request's time is fixed, little of it beside the processor, two instances side by side.
_PRIOR = np.log(np.array([0.1, 0.5, 0.5, 1.5, 0.01]))
_SPREAD = np.array([1.5, 1.5, 1.5, 0.8, 1.5])
# The fit begins at the prior, at cheap fixed work with many instances side by side, and at work beside the processor.
_STARTS = np.array([[0, 0, 0, 0, 0], [0, -1.5, 0.5, 0.5, 0], [1.5, 0, -1, -0.4, 0]])


@dataclass(frozen=True)
class Saturation:
    """Requests per second with `instances` always busy with batches of about `batch` requests."""

    batch: float
    instances: int
    rate_per_s: float


def effective_batch(concurrency: int, instances: int, largest: int) -> float:
    """The mean batch of a closed loop with `concurrency` requests always in flight.

    One share of them waits for each instance that is busy with a batch, and one for the next to become free.
    """
    return float(min(largest, max(1.0, concurrency / (instances + 1))))


def fit_service_time(measured: Sequence[Saturation], single_s: float) -> ServiceTime:
    """The service time that explains the saturations best; `single_s` is the time of one request alone, in seconds.

    Least squares on logarithms, with a Gaussian prior on each parameter: few points leave the shape open.
    """
    batch = np.array([m.batch for m in measured], dtype=np.float64)
    instances = np.array([m.instances for m in measured], dtype=np.float64)
    rates = np.log([m.rate_per_s for m in measured])
    scale = np.array([single_s, single_s, single_s, 1.0, 1.0])

    def residuals(shape: Floats) -> Floats:
        service = ServiceTime(*(np.exp(shape) * scale))
        misfit = np.log(service.saturation_per_s(batch, instances)) - rates
        return np.concatenate([misfit / _NOISE, (shape - _PRIOR) / _SPREAD])

    starts = _PRIOR + _STARTS
    fits = [least_squares(residuals, start, loss="soft_l1", max_nfev=200) for start in starts]
    best = min(fits, key=lambda fit: float(fit.cost))
    return ServiceTime(*(float(value) for value in np.exp(best.x) * scale))
