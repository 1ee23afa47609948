"""The options of `sweep`, checked completely before anything starts."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from command_line.arguments import whole
from command_line.errors import UsageError

from ..access.addresses import check_server, check_use, read_protocol
from ..access.settings import read_tls
from ..session.options import Asked, MeasureOptions, read_measure_options
from ..slo.objective import Objective
from .compare import QUANTILES
from .record import SweepTarget

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}"


@dataclass(frozen=True)
class SweepOptions:
    """Validated options: each of `rounds` rounds sweeps the model of `measure` through every target."""

    measure: MeasureOptions
    objective: Objective
    targets: tuple[SweepTarget, ...]
    rounds: int


def read_sweep_options(options: argparse.Namespace) -> SweepOptions:
    """Check every option; UsageError names the first that is wrong."""
    protocol = read_protocol(options.protocol, [text.partition("=")[2] for text in options.through])
    options.protocol = protocol
    targets = _targets(options.through, protocol, read_tls(options, os.environ))
    rounds = whole("rounds", options.rounds)
    title = f"{options.model} through {', '.join(target.name for target in targets)}"
    asked = Asked((options.model,), address=targets[0].address, title=title, several=True)
    measure = read_measure_options(options, asked)
    check_use(measure.endpoint.access, [target.address for target in targets])
    objective = measure.objective
    if objective is None or objective.quantile not in QUANTILES:
        known = ", ".join(f"p{quantile * 100:g}" for quantile in QUANTILES)
        raise UsageError("objective", options.objective, f"a sweep tells {known} only")
    return SweepOptions(measure, objective, targets, rounds)


def _targets(texts: Sequence[str], protocol: str, tls: bool) -> tuple[SweepTarget, ...]:
    """`NAME=HOST:PORT` each, with different names."""
    targets: list[SweepTarget] = []
    for text in texts:
        name, _, address = text.partition("=")
        if not re.fullmatch(_NAME, name) or not address:
            raise UsageError("through", text, "write it as NAME=HOST:PORT, such as gateway=localhost:80")
        if name in [target.name for target in targets]:
            raise UsageError("through", text, f"{name} is the name of another target")
        targets.append(SweepTarget(name=name, address=check_server("through", address, protocol, tls)))
    return tuple(targets)
