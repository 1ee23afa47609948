"""Where the shares of missed and failed requests cross what is allowed, fitted through all points measured so far."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .objective import Objective

# Prior of the slope of log-odds over log-rate: queues of one to a few servers near their edge have 5 to 60.
_SLOPE = 15.0
_SLOPE_SPREAD = 12.0
# Standard deviation, in log-rate, of the weight that a point gets by its distance from the interval.
_NEAR = 0.03


class Counted(Protocol):
    """A rate with its requests, how many of them were missed, and how many of those failed."""

    @property
    def rate_per_s(self) -> float: ...
    @property
    def requests(self) -> int: ...
    @property
    def misses(self) -> int: ...
    @property
    def errors(self) -> int: ...


def crossing(points: Sequence[Counted], objective: Objective, low: float, high: float) -> float:
    """The rate in [low, high] up to which both shares of the objective are kept by the curves through the points.

    A server that sheds what it can't serve breaks the share of failures long before that of misses: each share has a
    curve of its own, and the lower crossing counts. Without a failure there is one curve.
    """
    counted = [p for p in points if p.requests and low / 2 < p.rate_per_s < high * 2]
    if not counted or low >= high:
        return math.sqrt(low * high)
    edge = _crossing(counted, [p.misses for p in counted], objective.miss_share, low, high)
    if any(p.errors for p in counted):
        # Where no failure is allowed, the curve can't cross 0: half of one among all requests stands for it.
        allowed = max(objective.error_share, 0.5 / sum(p.requests for p in counted))
        edge = min(edge, _crossing(counted, [p.errors for p in counted], allowed, low, high))
    return edge


def _crossing(points: Sequence[Counted], counts: Sequence[int], allowed_share: float, low: float, high: float) -> float:
    """The rate in [low, high] at which the fitted share of `counts` among the points' requests is `allowed_share`.

    Logistic regression of the counts on the logarithm of the rate, by Newton's method with a Gaussian prior on the
    slope (Gelman et al., Ann. Appl. Stat. 2, 2008), local to the interval (Loader, Local Regression and Likelihood,
    1999): far from the edge the curve is no straight line in log-odds, near it a point alone is too noisy.
    """
    middle = math.sqrt(low * high)
    x = np.log([p.rate_per_s / middle for p in points])
    outside = np.maximum(np.abs(x) - math.log(high / middle), 0.0)
    weights = np.exp(-0.5 * (outside / _NEAR) ** 2)
    requests = weights * [p.requests for p in points]
    numbers = weights * counts
    intercept, slope = math.log(allowed_share / (1 - allowed_share)), _SLOPE
    for _ in range(30):
        share = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -30, 30)))
        weight = requests * share * (1 - share)
        residual = numbers - requests * share
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
