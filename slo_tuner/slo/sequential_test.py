"""Does a stream of requests keep the objective? The sequential test that ends a point as soon as that is certain."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .objective import Objective, keeps

ERROR_PROBABILITY = 0.05
FEWEST_REQUESTS = 20
_BATCHES = 16


Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judgement:
    """A share of requests, those over the limit or those that failed, its confidence bounds, and what follows."""

    requests: int
    miss_share: float
    lower: float
    upper: float
    kept: bool
    certain: bool


def design_effect(misses: Flags) -> float:
    """How many times more the mean of `misses` (time-ordered, shape [n]) varies than if they were independent; >= 1.

    A burst makes neighbours late together, so n requests tell less than n independent ones. Estimated from batch
    means (Law, Simulation Modeling and Analysis, 2015, section 9.5.3).
    """
    size = len(misses) // _BATCHES
    share = float(misses.mean()) if len(misses) else 0.0
    if size < 2 or share in (0.0, 1.0):
        return 1.0
    means = misses[: size * _BATCHES].reshape(_BATCHES, size).mean(axis=1)
    return max(1.0, float(means.var(ddof=1)) * size / (share * (1 - share)))


def half_width(share: float, requests: float, tuned_for: float = 200.0) -> float:
    """Half the width of the interval that holds the true share at every moment of looking, with 1 - ERROR_PROBABILITY.

    The normal-mixture confidence sequence (Robbins, Ann. Math. Stat. 41, 1970; Howard et al., Ann. Stat. 49, 2021,
    eq. 14): valid however often it is looked at, where a fixed-size interval would be wrong with every look more.
    It is tightest at `tuned_for` effective requests.
    """
    rho = 1.0 / tuned_for * (2 * math.log(1 / ERROR_PROBABILITY) + math.log(1 + 2 * math.log(1 / ERROR_PROBABILITY)))
    scaled = requests * rho + 1
    return math.sqrt(
        share * (1 - share) * 2 * scaled / (requests**2 * rho) * math.log(math.sqrt(scaled) / ERROR_PROBABILITY)
    )


@dataclass(frozen=True)
class PointJudgement:
    """Both shares of an objective, and whether it is kept; `certain` says that more requests would not change that."""

    missed: Judgement
    failed: Judgement
    kept: bool
    certain: bool


def judge(misses: Flags, allowed_share: float) -> Judgement:
    """Judge the misses so far: bool, time-ordered by intended send time, shape [n], against the share allowed.

    Only requests whose fate is known belong in it: those due longer ago than the limit. `certain` says that the
    confidence interval leaves the allowed share on one side; without it, `kept` is the plain comparison.
    """
    count = len(misses)
    if count == 0:
        return Judgement(0, 0.0, 0.0, 1.0, kept=False, certain=False)
    number = int(np.count_nonzero(misses))
    share, kept = number / count, keeps(number, count, allowed_share)
    # The variance at the allowed share when fewer are missed: zero misses so far do not mean zero variance.
    spread = min(max(share, allowed_share), 0.5)
    width = half_width(spread, count / design_effect(misses))
    lower, upper = max(0.0, share - width), min(1.0, share + width)
    certain = count >= FEWEST_REQUESTS and (lower > allowed_share or upper < allowed_share)
    # Where none is allowed, one is enough.
    certain = certain or (allowed_share == 0 and not kept)
    return Judgement(count, share, lower, upper, kept=kept, certain=certain)


def judge_point(missed: Flags, failed: Flags, objective: Objective) -> PointJudgement:
    """Judge both shares of an objective: bool, time-ordered by intended send time, shape [n] each.

    One share that is certainly broken makes a miss certain. To keep is certain when the share of misses certainly is,
    and nothing failed or the share of failures certainly is kept, too: a server that never failed is not loaded for
    the thousands of requests that would prove a share of 0.1 %.
    """
    late, errors = judge(missed, objective.miss_share), judge(failed, objective.error_share)
    broken = any(one.certain and not one.kept for one in (late, errors))
    harmless = errors.miss_share == 0 or (errors.certain and errors.kept)
    kept = late.kept and errors.kept
    return PointJudgement(late, errors, kept, certain=broken or (late.certain and late.kept and harmless))
