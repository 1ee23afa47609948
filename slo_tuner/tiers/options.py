"""The options of `tiers`, checked completely before anything starts."""

import argparse
from dataclasses import dataclass, replace

from command_line.arguments import positive, whole
from command_line.errors import UsageError

from ..session.options import Asked, MeasureOptions, read_measure_options
from ..slo.objective import Objective, parse_objective
from .rate_limit import rate_limit_arguments
from .scenarios import SCENARIOS, Scenario


@dataclass(frozen=True)
class TiersOptions:
    """Validated options; the first of the two models is of tier 1. Values None are measured first."""

    measure: MeasureOptions
    models: tuple[str, str]
    tier2_objective: Objective
    capacities_per_s: tuple[float, float] | None
    phase_s: float
    scenarios: tuple[Scenario, ...]


def read_tiers_options(options: argparse.Namespace) -> TiersOptions:
    """Check every option; UsageError names the first that is wrong."""
    if options.tier1 == options.tier2:
        raise UsageError("tier2", options.tier2, "name another model than that of tier 1")
    if options.workers not in (None, "1"):
        raise UsageError("workers", options.workers, "one process makes the load on both models")
    title = f"{options.tier1} in tier 1, {options.tier2} in tier 2"
    measure = read_measure_options(options, Asked((options.tier1, options.tier2), title=title))
    executions = whole("tier-executions", options.tier_executions)
    return TiersOptions(
        measure=replace(measure, server_arguments=rate_limit_arguments(executions)),
        models=(options.tier1, options.tier2),
        tier2_objective=parse_objective(options.tier2_objective, "tier2-objective"),
        capacities_per_s=_capacities(options.capacities),
        phase_s=positive("phase-s", options.phase_s),
        scenarios=_scenarios(options.scenarios),
    )


def _scenarios(text: str | None) -> tuple[Scenario, ...]:
    if text is None:
        return SCENARIOS
    known = {scenario.name: scenario for scenario in SCENARIOS}
    names = text.split(",")
    if len(set(names)) != len(names) or not set(names) <= set(known):
        raise UsageError("scenarios", text, f"give different names of {', '.join(known)}, separated by commas")
    return tuple(known[name] for name in names)


def _capacities(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError("capacities", text, "give requests per second of tier 1 and tier 2, such as 90,90")
    first, second = (positive("capacities", part) for part in parts)
    return first, second
