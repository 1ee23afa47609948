"""The path from the baseline to the winner, one change at a time, and what the search came to."""

import math
from dataclasses import dataclass
from itertools import permutations

from ..capacity.configuration import Configuration
from .evidence import TrialHistory
from .space import single_changes


@dataclass(frozen=True)
class Step:
    """A configuration on the path, its rate in requests per second, and the field that it changed."""

    configuration: Configuration
    rate_per_s: float
    changed: str = ""


@dataclass(frozen=True)
class Choice:
    """The path to the winner, the rates of each of the winner's searches, and why the search ended."""

    path: tuple[Step, ...]
    rates: tuple[float, ...]
    stopped: str
    generator_limited: bool = False

    @property
    def winner(self) -> Configuration:
        """The configuration that was chosen."""
        return self.path[-1].configuration

    @property
    def rate_per_s(self) -> float:
        """The winner's rate: the lower median of `rates`."""
        return self.path[-1].rate_per_s


def best_path(start: Configuration, goal: Configuration, known: TrialHistory) -> tuple[Configuration, ...]:
    """The order of changes that leaves the least to be measured; among those, the one that gains most at once."""
    paths = {single_changes(start, goal, order) for order in permutations(start.differences(goal))}
    expected = known.expected()
    value = {c: float(expected.log_rate[i]) for i, c in enumerate(known.choices)}

    def cost(path: tuple[Configuration, ...]) -> tuple[int, float]:
        unknown = sum(known.rate(stop) is None for stop in path)
        return unknown, -sum(value.get(stop, -math.inf) for stop in path)

    return min(sorted(paths, key=str), key=cost)


def steps(path: tuple[Configuration, ...], known: TrialHistory, least_gain: float) -> tuple[Step, ...]:
    """The path with its rates (0 where the objective was not kept); last changes that gained less are left out.

    A stop that was not searched, as the load generator was too weak, is none: its change is joined with the next one.
    """
    made: list[Step] = []
    for stop in path:
        if made and stop != path[-1] and not known.is_searched(stop):
            continue
        changed = ", ".join(made[-1].configuration.differences(stop)) if made else ""
        made.append(Step(stop, known.rate(stop) or 0.0, changed))
    while len(made) > 1 and made[-2].rate_per_s * (1 + least_gain) >= made[-1].rate_per_s:
        made.pop()
    return tuple(made)
