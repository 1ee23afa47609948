"""What `sweep` was asked, checked completely before anything starts."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..objective import Objective
from ..request import Request, read_request
from ..results import Way
from ..validation import check_address, whole
from .compare import QUANTILES

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}"


@dataclass(frozen=True)
class SweepRequest:
    """A validated request: each of `rounds` rounds sweeps the model of `request` through every way."""

    request: Request
    objective: Objective
    ways: tuple[Way, ...]
    rounds: int


def read_sweep_request(options: argparse.Namespace) -> SweepRequest:
    """Check every option; UsageError names the first that is wrong."""
    ways, rounds = _ways(options.through), whole("rounds", options.rounds)
    title = options.title or f"{options.model} through {', '.join(way.name for way in ways)}"
    request = read_request(argparse.Namespace(**{**vars(options), "address": ways[0].address, "title": title}))
    objective = request.objective
    if objective is None or objective.quantile not in QUANTILES:
        known = ", ".join(f"p{quantile * 100:g}" for quantile in QUANTILES)
        raise UsageError("objective", options.objective, f"a sweep tells {known} only")
    return SweepRequest(request, objective, ways, rounds)


def _ways(texts: Sequence[str]) -> tuple[Way, ...]:
    """`NAME=HOST:PORT` each, with different names."""
    ways: list[Way] = []
    for text in texts:
        name, _, address = text.partition("=")
        if not re.fullmatch(_NAME, name) or not address:
            raise UsageError("through", text, "write it as NAME=HOST:PORT, such as gateway=localhost:80")
        if name in [way.name for way in ways]:
            raise UsageError("through", text, f"{name} is the name of another way")
        ways.append(Way(name=name, address=check_address("through", address)))
    return tuple(ways)
