"""The three published scenarios: steady load on both models, and a burst on one of them."""

from dataclasses import dataclass

Shares = tuple[float, float]
"""Offered load of tier 1 and tier 2, each as a share of what that model serves alone."""

STEADY: Shares = (0.4, 0.25)
"""Two models that use 0.4 and 0.25 of the same processor leave a third of it for a burst."""


@dataclass(frozen=True)
class Scenario:
    """A burst between two phases of steady load."""

    name: str
    title: str
    burst: Shares

    def rates_per_s(self, tier: int, capacity_per_s: float) -> tuple[float, float, float]:
        """The offered rates of the model of a tier in the three phases."""
        steady, burst = STEADY[tier - 1] * capacity_per_s, self.burst[tier - 1] * capacity_per_s
        return steady, burst, steady


SCENARIOS = (
    Scenario("within", "A burst within the capacity", (0.55, 0.25)),
    Scenario("tier-1", "A burst on tier 1 beyond the capacity that both share", (0.85, 0.25)),
    Scenario("tier-2", "A burst on tier 2 beyond the capacity that both share", (0.4, 1.0)),
)
