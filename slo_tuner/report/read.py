"""Reads results.json of any command."""

import json
from pathlib import Path

from ..fleet.record import FleetResults
from ..results.schema import Results, read_results
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
    """Results of any command; ResultsError names the first field that is wrong."""
    return read_results(path, KINDS.get(_kind(path), Results))


def _kind(path: Path) -> str:
    """What a file says of itself; what is wrong with one that says nothing, `read_results` tells."""
    try:
        return str(upgraded(json.loads(path.read_text())).get("kind", ""))
    except (OSError, ValueError, AttributeError):
        return ""
