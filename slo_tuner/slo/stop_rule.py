"""When an open-loop point is over: one rule for real servers, and for the simulated ones of tests and benchmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .objective import Objective, keeps
from .sequential_test import Flags, judge_point


@dataclass(frozen=True)
class Fates:
    """The requests of a schedule in the order of their due times (seconds from the start of the load), shape [n] each.

    `missed` holds for those that failed, were late or have no answer yet, `failed` for those that failed.
    """

    due_s: NDArray[np.float64]
    missed: Flags
    failed: Flags

    def between(self, since_s: float, until_s: float) -> "Fates":
        """The requests due in [since, until)."""
        inside = slice(*np.searchsorted(self.due_s, (since_s, until_s)))
        return Fates(self.due_s[inside], self.missed[inside], self.failed[inside])

    def __len__(self) -> int:
        return len(self.due_s)


def is_over(fates: Fates, objective: Objective, since_s: float, least_s: float, known_until_s: float) -> bool:
    """Whether a point that counts from `since_s`, for `least_s` at least, may end: answers are known up to a moment.

    Only requests due longer ago than the limit count: the fate of later ones is open. The verdict has to be certain. A
    queue that still grows has not shown its misses yet: what is kept must also be kept by the later half alone.
    """
    if known_until_s < since_s + least_s:
        return False
    known = fates.between(since_s, known_until_s - objective.limit_ms / 1000)
    judgement = judge_point(known.missed, known.failed, objective)
    if not (judgement.certain and judgement.kept):
        return judgement.certain
    missed, failed = known.missed[len(known) // 2 :], known.failed[len(known) // 2 :]
    return all(
        keeps(np.count_nonzero(flags), len(flags), share)
        for flags, share in ((missed, objective.miss_share), (failed, objective.error_share))
    )
