"""How long a measurement may take: what `--effort` chooses from, and how long a point lasts at a rate."""

from dataclasses import dataclass

from ..slo.sequential_test import FEWEST_REQUESTS
from .open_loop import Timing


@dataclass(frozen=True)
class Effort:
    """How much time a measurement may take; seconds, requests and shares.

    A point of the search lasts until it has `point_requests`, but at least `least_s` and at most `point_s`; a fast
    server has its requests long before, and a slow one gets the time for `fewest_requests`: of fewer, no quantile says
    more than the slowest. A repeat lasts from `confirm_least_s` to `confirm_s` in the same way.

    A disturbed point waits `quiet_s` at most for a quiet machine, all of a run `quiet_run_s` with their repetition.
    """

    point_s: float = 30.0
    point_requests: int = 1500
    least_s: float = 2.0
    confirm_s: float = 30.0
    confirm_least_s: float = 15.0
    warm_up_s: float = 2.0
    sweep_s: float = 3.0
    largest_concurrency: int = 1024
    precision: float = 0.03
    repeats: int = 3
    fewest_requests: int = FEWEST_REQUESTS
    quiet_s: float = 30.0
    quiet_run_s: float = 300.0

    @property
    def model_s(self) -> float:
        """About how many seconds one model takes: a sweep, a search of six points, and the repeats of its end."""
        sweep_s = 6 * (self.sweep_s + self.warm_up_s)
        search_s = 6 * (0.5 * self.point_s + self.warm_up_s)
        return sweep_s + search_s + self.repeats * (self.confirm_s + self.warm_up_s)

    def timing(self, rate: float, limit_ms: float, repeat: bool) -> Timing:
        """How long a point at `rate` requests a second lasts; a `repeat` is not ended early."""
        limit_s = limit_ms / 1000
        longest = self.confirm_s if repeat else self.point_s
        least = self.confirm_least_s if repeat else min(longest, max(self.least_s, 10 * limit_s))
        return Timing(
            warm_up_s=max(self.warm_up_s, 2 * limit_s),
            duration_s=max(min(longest, max(least, self.point_requests / rate)), self.fewest_requests / rate),
            least_s=least,
            sequential=not repeat,
        )


EFFORTS = {
    "full": Effort(),
    "quick": Effort(
        point_s=10.0,
        point_requests=400,
        confirm_s=10.0,
        confirm_least_s=8.0,
        warm_up_s=1.0,
        sweep_s=1.5,
        # Of 100 requests the P95 is known to some percent: finer steps would follow the noise.
        precision=0.08,
        quiet_s=15.0,
        quiet_run_s=120.0,
    ),
    "brisk": Effort(
        point_s=5.0,
        point_requests=2000,
        least_s=1.0,
        confirm_s=5.0,
        confirm_least_s=5.0,
        warm_up_s=0.5,
        sweep_s=1.5,
        quiet_s=10.0,
        quiet_run_s=60.0,
    ),
    "smoke": Effort(
        fewest_requests=1,
        point_s=1.0,
        point_requests=100,
        confirm_s=1.0,
        confirm_least_s=1.0,
        warm_up_s=0.3,
        sweep_s=0.5,
        largest_concurrency=2,
        precision=0.2,
        repeats=2,
        quiet_s=0.0,
        quiet_run_s=0.0,
    ),
}
"""What `--effort` chooses from: `brisk` is for fast servers, `smoke` shows that all works and is no measurement."""
