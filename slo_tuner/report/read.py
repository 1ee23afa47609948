"""Reads results.json of any command."""

import json
from pathlib import Path

from command_line.errors import UsageError

from ..fleet.record import FleetResults
from ..results.file import read_results
from ..results.schema import Results
from ..results.upgrade import upgraded
from ..sweep.record import SweepResults
from ..tiers.record import TierResults
from ..tuning.record import TuningResults

KINDS: dict[str, type[Results]] = {
    "ladder": Results,
    "sweep": SweepResults,
    "tiers": TierResults,
    "tuning": TuningResults,
    "fleet": FleetResults,
}


def read_any_results(path: Path) -> Results:
    """Results of any command; ResultsFileError names the first field that is wrong."""
    return read_results(path, KINDS.get(_kind(path), Results))


def read_rates(field: str, path: Path) -> Results:
    """Results that tell the highest rates of models; UsageError for those of a command that measures none."""
    results = read_any_results(path)
    if (command := _WITHOUT_RATE.get(results.kind)) is not None:
        raise UsageError(
            field, str(path), f"{command} finds no rate within an objective; give results of measure, ladder or tune"
        )
    return results


_WITHOUT_RATE = {"sweep": "a sweep", "tiers": "a run of tiers", "fleet": "a fleet's simulation"}


def _kind(path: Path) -> str:
    """What a file says of itself; what is wrong with one that says nothing, `read_results` tells."""
    try:
        return str(upgraded(json.loads(path.read_text(encoding="utf-8"))).get("kind", ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""
