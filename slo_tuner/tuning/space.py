"""The configurations that a tuner may choose from, and the path between two of them, one change at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ..capacity.configuration import Configuration


@dataclass(frozen=True)
class Space:
    """The values that may be combined; `preferred_halves` also tries half of the largest batch as the preferred one."""

    batches: tuple[int, ...]
    instances: tuple[int, ...]
    delays_us: tuple[int, ...] = (0,)
    preferred_halves: bool = False

    def configurations(self) -> tuple[Configuration, ...]:
        """Every combination that behaves differently from the others, small ones first."""
        shares = (1, 2) if self.preferred_halves else (1,)
        combined = product(self.batches, self.instances, self.delays_us, shares)
        return tuple(
            dict.fromkeys(
                Configuration(batch=b, instances=n, delay_us=d, preferred=(b // share,)).normal()
                for b, n, d, share in combined
            )
        )


def default_space(largest_batch: int, limit_ms: float, most_instances: int = 8) -> Space:
    """Powers of two up to the model's own largest batch, up to `most_instances`, and delays of up to a tenth of the
    limit: a request that waits longer for company leaves too little time for its own work."""
    batches = [2**power for power in range(13) if 2**power < largest_batch] + [largest_batch]
    instances = [count for count in (1, 2, 3, 4, 6, 8, 12, 16) if count <= most_instances]
    delays = sorted({0, *(max(100, round(limit_ms * 1000 * share, -2)) for share in (0.01, 0.03, 0.1))})
    return Space(tuple(batches), tuple(instances), tuple(int(delay) for delay in delays), preferred_halves=True)


def with_change(start: Configuration, name: str, goal: Configuration) -> Configuration:
    """`start` with one field of `goal`; what no longer fits a smaller batch is dropped."""
    return start.model_copy(update={name: getattr(goal, name)}).normal()


def single_changes(start: Configuration, goal: Configuration, order: Sequence[str]) -> tuple[Configuration, ...]:
    """The configurations on the path from `start` to `goal`, both included, changing one field after another."""
    path = [start]
    for name in order:
        changed = with_change(path[-1], name, goal)
        if changed != path[-1]:
            path.append(changed)
    if path[-1] != goal:
        path.append(goal)
    return tuple(path)
