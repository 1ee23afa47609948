"""The options of `fleet`, checked completely before anything is simulated."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from command_line.arguments import not_negative, positive, whole
from command_line.errors import UsageError
from command_line.files import check_output

from ..cost.prices import OWN_TABLE, PriceTable, read_prices
from ..load.traffic.options import read_traffic
from ..load.traffic.trace import Trace
from .settings import Nodes, Requests

_LONGEST_NAME = 63


@dataclass(frozen=True)
class FleetOptions:
    """Validated options. `load_s` None takes what was measured; `assumed` names start-up times nobody gave."""

    trace: Trace
    prices: PriceTable
    nodes: Nodes
    requests: Requests
    most: int
    allowed_worst_share: float | None
    node_s: float
    image_s: float
    load_s: float | None
    warm_up_s: float
    assumed: tuple[str, ...]
    output: Path
    name: str


def read_fleet_options(options: argparse.Namespace) -> FleetOptions:
    """Check every option; UsageError names the first that is wrong."""
    trace = read_traffic(options).without_chance()
    if trace.duration_s < 60:
        raise UsageError("trace", trace.name, f"it lasts {trace.duration_s:g} s; a fleet needs a minute at least")
    nodes = Nodes(
        zones=whole("zones", options.zones, 100),
        per_zone=whole("nodes-per-zone", options.nodes_per_zone),
        idle_s=not_negative("idle-s", options.idle_s),
        drain_s=not_negative("drain-s", options.drain_s),
        reclaims_per_hour=not_negative("reclaims-per-hour", options.reclaims_per_hour),
    )
    if nodes.reclaims_per_hour > 10:
        raise UsageError("reclaims-per-hour", options.reclaims_per_hour, "give 10 or less for each node")
    most = whole("most-pods", options.most_pods)
    times = {"node-s": options.node_s, "image-s": options.image_s, "warm-up-s": options.warm_up_s}
    usual = {"node-s": 120.0, "image-s": 60.0, "warm-up-s": 5.0}
    given = {field: not_negative(field, text) if text is not None else usual[field] for field, text in times.items()}
    words = {"node-s": "a node", "image-s": "its image", "warm-up-s": "the warm-up"}
    assumed = tuple(f"{words[field]} takes {usual[field]:g} s" for field, text in times.items() if text is None)
    return FleetOptions(
        trace=trace,
        prices=read_prices(options.prices or OWN_TABLE),
        nodes=nodes,
        requests=_requests(options),
        most=most,
        allowed_worst_share=_share("worst-share", options.worst_share) if options.worst_share is not None else None,
        node_s=given["node-s"],
        image_s=given["image-s"],
        load_s=not_negative("load-s", options.load_s) if options.load_s is not None else None,
        warm_up_s=given["warm-up-s"],
        assumed=assumed,
        output=_output(options.output),
        name=_name(options.name),
    )


def _requests(options: argparse.Namespace) -> Requests:
    if options.balancing not in ("requests", "connections"):
        raise UsageError("balancing", options.balancing, "choose requests or connections")
    return Requests(
        balancing=options.balancing,
        connections=whole("connections", options.connections, 10_000_000),
        connection_age_s=positive("connection-age-s", options.connection_age_s),
        tier_2_share=_share("tier2-share", options.tier2_share) if options.tier2_share is not None else 0.0,
    )


def _output(path: Path) -> Path:
    """A folder for everything; what stands where the values files go is found now, not after minutes of simulation."""
    check_output(path / "values")
    return check_output(path)


def _share(field: str, text: str) -> float:
    """A share below 100%, as `5%` or `0.05`."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise UsageError(field, text, "give a share between 0% and 100%, such as 5%")
    return value


def _name(text: str) -> str:
    if not text or not all(letter.isalnum() or letter in "-_." for letter in text) or text.startswith("."):
        raise UsageError("name", text, "letters, digits, dots, dashes and underscores make values/fleet-NAME.yaml")
    if len(text) > _LONGEST_NAME:
        raise UsageError("name", text, f"{_LONGEST_NAME} letters at most")
    return text
