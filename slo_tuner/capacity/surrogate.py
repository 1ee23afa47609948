"""How far measured rates lie from the predicted ones, carried over to configurations that were not measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .configuration import Configuration
from .queue_model import Floats

Places = NDArray[np.int64]
# Standard deviations of the logarithm of measured / predicted: of all together, and of each by itself.
_COMMON = 0.25
_OWN = 0.12
# Distances, in the units of `_position`, at which two configurations tell little about each other.
_REACH = np.array([1.7, 1.0, 1.5, 1.2])


@dataclass(frozen=True)
class Observation:
    """A configuration's measured rate, and its relative error."""

    configuration: Configuration
    rate_per_s: float
    error: float


@dataclass(frozen=True)
class Expected:
    """Mean and standard deviation of the logarithm of each configuration's rate; shapes [n]."""

    log_rate: Floats
    spread: Floats

    def gain_over(self, rate: float) -> Floats:
        """Expected improvement over `rate`, as a share of it (Jones et al., J. Glob. Opt. 13, 1998, eq. 15)."""
        above = self.log_rate - math.log(rate)
        z = above / self.spread
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z])
        return np.asarray(above * below + self.spread * density)


def expect(configurations: Sequence[Configuration], predicted: Floats, observations: Sequence[Observation]) -> Expected:
    """The predictions corrected by a Gaussian process over their misfit (see `carry_over`).

    A configuration that is predicted to keep no rate at all counts as a thousandth of the best.
    """
    floor = max(float(predicted.max()), 1e-9) / 1000
    index = {configuration: i for i, configuration in enumerate(configurations)}
    seen = np.array([index[o.configuration] for o in observations], dtype=np.int64)
    places = np.array([_position(c) for c in configurations]) / _REACH
    rates, errors = (
        np.array(values) for values in ([o.rate_per_s for o in observations], [o.error for o in observations])
    )
    return carry_over(places, np.log(np.maximum(predicted, floor)), seen, np.log(rates), errors)


def carry_over(places: Floats, log_predicted: Floats, seen: Places, log_seen: Floats, errors: Floats) -> Expected:
    """Predictions [n] at `places` [n, dimensions], corrected by what those `seen` [m] missed by.

    `log_seen` are the logarithms that were found there, give or take `errors`. A Gaussian process carries the misfit
    over. Its covariance is a common part, as a model that is 10 % too high is so everywhere, and one that falls with
    the distance, of which 1 tells little (Rasmussen and Williams, Gaussian Processes, 2006, eq. 2.25).
    """
    if not len(seen):
        return Expected(log_predicted, np.full(len(log_predicted), math.hypot(_COMMON, _OWN)))
    misfit = log_seen - log_predicted[seen]
    known = _covariance(places[seen], places[seen]) + np.diag(errors**2)
    across = _covariance(places, places[seen])
    weights = np.linalg.solve(known, across.T).T
    variance = _COMMON**2 + _OWN**2 - (weights * across).sum(axis=1)
    return Expected(log_predicted + weights @ misfit, np.sqrt(np.maximum(variance, 1e-8)))


def _position(configuration: Configuration) -> Floats:
    preferred = (configuration.preferred or (configuration.batch,))[-1]
    return np.array(
        [
            math.log2(configuration.batch),
            math.log2(configuration.instances),
            math.log1p(configuration.delay_us / 1000),
            math.log2(configuration.batch / preferred),
        ]
    )


def _covariance(left: Floats, right: Floats) -> Floats:
    squared = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(_COMMON**2 + _OWN**2 * np.exp(-0.5 * squared))
