"""How sure a highest rate is, and whether another one is lower: intervals from the curves through measured points."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .miss_curve import Counted
from .objective import Objective

ERROR_PROBABILITY = 0.05
"""Of either verdict, each by itself: to call worse what is not, and not worse what is."""
# How far from the rate that was found points tell all that they know, and with which standard deviation, in log-rate,
# they tell less further away: there the curve is no straight line in log-odds.
_LEEWAY, _NEAR = 0.03, 0.05
# Prior of the slope of log-odds over log-rate: queues of one to a few servers near their edge have 5 to 60.
_SLOPE, _SLOPE_SPREAD = 15.0, 12.0
_STEPS = 60


class Verdict(StrEnum):
    """Whether a rate is lower than another one by more than what is tolerated."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Edge:
    """A highest rate within an objective, in requests per second, as the points show it.

    `log_error` is the standard error of its natural logarithm, about its relative error; `freedom` its degrees of
    freedom.
    """

    rate_per_s: float
    log_error: float
    freedom: float


@dataclass(frozen=True)
class Ratio:
    """A rate divided by another one, with a confidence interval: each end is passed with ERROR_PROBABILITY at most."""

    ratio: float
    lower: float
    upper: float

    def verdict(self, within: float) -> Verdict:
        """Whether the rate is lower by more than the share `within`.

        A test of non-inferiority with this margin and, on its other side, the test of the opposite (Wellek, Testing
        Statistical Hypotheses of Equivalence and Noninferiority, 2010, chapter 3): between both nothing is known.
        """
        if self.lower >= 1 - within:
            return Verdict.NOT_WORSE
        return Verdict.WORSE if self.upper < 1 - within else Verdict.UNKNOWN


def edge_of(points: Sequence[Counted], objective: Objective, found_per_s: float) -> Edge | None:
    """The highest rate by the curve through the points around the one that was found; None where they tell no error.

    The share that is used up first counts, that of misses or that of failures, as in the search.
    """
    counted = [p for p in points if p.requests and found_per_s / 2 < p.rate_per_s < found_per_s * 2]
    rates = np.array([p.rate_per_s for p in counted])
    requests = np.array([float(p.requests) for p in counted])
    shares = [(objective.miss_share, np.array([float(p.misses) for p in counted]))]
    if any(p.errors for p in counted):
        # Where no failure is allowed, the curve can't cross 0: half of one among all requests stands for it.
        allowed = max(objective.error_share, 0.5 / float(requests.sum()))
        shares.append((allowed, np.array([float(p.errors) for p in counted])))
    edges = [_edge(np.log(rates / found_per_s), requests, counts, allowed) for allowed, counts in shares]
    known = [edge for edge in edges if edge is not None]
    if len(known) < len(edges):
        return None
    lowest = min(known, key=lambda edge: edge.rate_per_s)
    return Edge(lowest.rate_per_s * found_per_s, lowest.log_error, lowest.freedom)


def _edge(
    x: NDArray[np.float64], requests: NDArray[np.float64], counts: NDArray[np.float64], allowed: float
) -> Edge | None:
    """Where the share of `counts` among requests is the allowed one, as a multiple of the rate at x = 0; shapes [n].

    A logistic curve over the logarithm of the rate, local to it (Loader, Local Regression and Likelihood, 1999). What
    a queue does in one point is more or less by chance, for all of the point's requests: each point's log-odds have
    an error of their own besides the binomial one (Williams, Applied Statistics 31, 1982, model III), whose variance
    is chosen so that the residuals are as large as expected (Paule and Mandel, J. Res. NBS 87, 1982). The error of
    the edge follows by the delta method for an inverse estimate (Finney, Probit Analysis, 1971).
    """
    near = np.exp(-0.5 * (np.maximum(np.abs(x) - _LEEWAY, 0) / _NEAR) ** 2)
    freedom = float(near.sum()) - 2
    if freedom < 1:
        return None
    odds = math.log(allowed / (1 - allowed))
    curve, own = np.array([odds, _SLOPE]), 0.0
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(curve[0] + curve[1] * x, -8, 8)))
        spread = share * (1 - share)
        seen = np.log(share / (1 - share)) + (counts / requests - share) / spread
        variance = 1 / (requests * spread) + own
        information = _information(near / variance, x) + np.diag([1e-3, 1 / _SLOPE_SPREAD**2])
        prior = np.array([1e-3 * odds, _SLOPE / _SLOPE_SPREAD**2])
        weighted = near / variance * seen
        found = np.linalg.solve(information, np.array([weighted.sum(), (weighted * x).sum()]) + prior)
        found[1] = max(found[1], 1.0)
        residual = seen - found[0] - found[1] * x
        excess = (near * residual**2 / variance).sum() - freedom
        before, own = own, max(0.0, own + 0.5 * excess / float((near * residual**2 / variance**2).sum() + 1e-12))
        change, curve = found - curve, curve + 0.7 * (found - curve)
        if np.abs(change).max() < 1e-6 and abs(own - before) < 1e-9:
            break
    inverse = np.linalg.inv(information)
    covariance = inverse @ _information(near**2 / variance, x) @ inverse
    edge = (odds - curve[0]) / curve[1]
    gradient = np.array([-1.0, -edge]) / curve[1]
    return Edge(math.exp(edge), math.sqrt(float(gradient @ covariance @ gradient)), freedom)


def _information(weights: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    mixed = (weights * x).sum()
    return np.array([[weights.sum(), mixed], [mixed, (weights * x * x).sum()]])


def ratio_of(new: Edge, old: Edge) -> Ratio:
    """The new rate divided by the old one, with its interval.

    Their logarithms differ by a value of Student's distribution with the degrees of freedom of Welch (Biometrika 34,
    1947) and Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    from scipy.stats import t  # takes a moment: only who compares waits for it

    variance = new.log_error**2 + old.log_error**2
    apart = new.log_error**4 / new.freedom + old.log_error**4 / old.freedom
    freedom = variance**2 / apart if apart else math.inf
    width = float(t.ppf(1 - ERROR_PROBABILITY, freedom)) * math.sqrt(variance)
    ratio = new.rate_per_s / old.rate_per_s
    return Ratio(ratio, ratio * math.exp(-width), ratio * math.exp(width))
