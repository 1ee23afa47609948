"""The options of `tune`, checked completely before anything starts."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from command_line.arguments import digits, positive
from command_line.errors import UsageError

from ..capacity.configuration import Configuration
from ..cost.prices import OWN_TABLE, read_prices
from ..session.options import Asked, MeasureOptions, read_measure_options
from .deployment import DeploymentGoal, plan_variant
from .space import Space, default_space


@dataclass(frozen=True)
class TuneOptions:
    """Validated options. Values None are chosen from the model and the objective."""

    measure: MeasureOptions
    model: str
    batches: tuple[int, ...] | None
    instances: tuple[int, ...] | None
    delays_us: tuple[int, ...] | None
    goal: DeploymentGoal
    plan: Path | None
    resume: bool

    def space(self, baseline: Configuration, largest_batch: int, limit_ms: float) -> Space:
        """The configurations to choose from, the baseline's values among them.

        UsageError for a batch that the model does not take.
        """
        default = default_space(largest_batch, limit_ms)
        batches = self.batches or default.batches
        above = [batch for batch in batches if batch > largest_batch]
        if above:
            raise UsageError("batches", above[0], f"the model's own max_batch_size is {largest_batch}")

        def with_own(values: tuple[int, ...], own: int) -> tuple[int, ...]:
            return tuple(sorted({*values, own}))

        return Space(
            with_own(tuple(batches), baseline.batch),
            with_own(tuple(self.instances or default.instances), baseline.instances),
            with_own(tuple(self.delays_us if self.delays_us is not None else default.delays_us), baseline.delay_us),
            preferred_halves=True,
        )


def read_tune_options(options: argparse.Namespace) -> TuneOptions:
    """Check every option; UsageError names the first that is wrong."""
    measure = read_measure_options(options, Asked((options.model,)))
    if options.plan is not None:
        plan_variant(options.plan, options.model)
    table = read_prices(options.prices or OWN_TABLE)
    return TuneOptions(
        measure=measure,
        model=options.model,
        batches=_numbers("batches", options.batches, lambda n: 1 <= n <= 4096),
        instances=_numbers("instances", options.instances, lambda n: 1 <= n <= 256),
        delays_us=_numbers("queue-delays-us", options.queue_delays_us, lambda n: 0 <= n <= 10_000_000),
        goal=DeploymentGoal(
            total_rate_per_s=positive("total-rate", options.total_rate) if options.total_rate else None,
            offer=table.offer(options.machine) if options.machine else None,
        ),
        plan=options.plan,
        resume=options.resume,
    )


def _numbers(field: str, text: str | None, allowed: Callable[[int], bool]) -> tuple[int, ...] | None:
    """Different whole numbers, separated by commas."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    numbers = [number for part in parts if (number := digits(part)) is not None]
    if len(numbers) != len(parts) or len(set(numbers)) != len(numbers) or not all(map(allowed, numbers)):
        largest = {"batches": "from 1 to 4096", "instances": "from 1 to 256"}.get(field, "from 0 to 10000000")
        raise UsageError(field, text, f"give different whole numbers {largest}, separated by commas")
    return tuple(sorted(numbers))
