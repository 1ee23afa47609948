"""The share of missed requests as a function of the offered rate, fitted through all points measured so far."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

# Prior of the slope of log-odds over log-rate: queues of one to a few servers near their edge have 5 to 60.
_SLOPE = 15.0
_SLOPE_SPREAD = 12.0
# Standard deviation, in log-rate, of the weight that a point gets by its distance from the interval.
_NEAR = 0.03


class Counted(Protocol):
    """A rate with its requests and how many of them were missed."""

    @property
    def rate_per_s(self) -> float: ...
    @property
    def requests(self) -> int: ...
    @property
    def misses(self) -> int: ...


def crossing(points: Sequence[Counted], allowed_share: float, low: float, high: float) -> float:
    """The rate in [low, high] at which the fitted share of misses is `allowed_share`.

    Logistic regression of misses on the logarithm of the rate, by Newton's method with a Gaussian prior on the slope
    (Gelman et al., Ann. Appl. Stat. 2, 2008), local to the interval (Loader, Local Regression and Likelihood, 1999):
    far from the edge the curve is no straight line in log-odds, near it a point alone is too noisy.
    """
    middle = math.sqrt(low * high)
    counted = [p for p in points if p.requests and low / 2 < p.rate_per_s < high * 2]
    if not counted:
        return middle
    x = np.log([p.rate_per_s / middle for p in counted])
    outside = np.maximum(np.abs(x) - math.log(high / middle), 0.0)
    weights = np.exp(-0.5 * (outside / _NEAR) ** 2)
    requests = weights * [p.requests for p in counted]
    misses = weights * [p.misses for p in counted]
    intercept, slope = math.log(allowed_share / (1 - allowed_share)), _SLOPE
    for _ in range(30):
        share = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -30, 30)))
        weight = requests * share * (1 - share)
        residual = misses - requests * share
        gradient = np.array([residual.sum(), (residual * x).sum() - (slope - _SLOPE) / _SLOPE_SPREAD**2])
        hessian = np.array(
            [
                [weight.sum() + 1e-3, (weight * x).sum()],
                [(weight * x).sum(), (weight * x * x).sum() + 1 / _SLOPE_SPREAD**2],
            ]
        )
        change = np.clip(np.linalg.solve(hessian, gradient), -3, 3)
        intercept, slope = intercept + change[0], max(slope + change[1], 1.0)
        if abs(change).max() < 1e-6:
            break
    edge = middle * math.exp((math.log(allowed_share / (1 - allowed_share)) - intercept) / slope)
    return min(max(edge, low), high)
