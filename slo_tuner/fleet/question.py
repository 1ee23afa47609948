"""What `fleet` is asked: a measured Pod on a machine, the trace, the objective, and everything around the Pods."""

import math
from dataclasses import dataclass

from command_line.errors import UsageError

from ..cost.prices import Offer
from ..load.traffic.trace import Trace
from ..slo.objective import Objective
from .measured import Measured
from .settings import Nodes, Requests, StartUp
from .text import count


@dataclass(frozen=True)
class Question:
    """`assumed` names the parts of `start_up` that nobody has measured; `patience_s` is how long clients wait."""

    measured: Measured
    offer: Offer
    trace: Trace
    objective: Objective
    start_up: StartUp
    assumed: tuple[str, ...]
    nodes: Nodes
    requests: Requests
    most: int
    allowed_worst_share: float
    patience_s: float


@dataclass(frozen=True)
class Variant:
    """Another measured Pod, on its machine, to compare with."""

    measured: Measured
    offer: Offer


def check_possible(trace: Trace, capacity_per_s: float, most: int, nodes: Nodes) -> None:
    """UsageError, which says from how many Pods on it could, where so many can't serve the trace's busiest minute."""
    needed = math.ceil(trace.peak_per_s / capacity_per_s - 1e-9)
    pods = min(most, nodes.most)
    if needed <= pods:
        return
    said = (
        f"the busiest minute asks for {count(trace.peak_per_s)} requests/s, and {pods} Pods serve "
        f"{count(pods * capacity_per_s)}: it can be served from {needed} Pods on"
    )
    if nodes.most < most:
        raise UsageError("nodes-per-zone", nodes.per_zone, f"{nodes.zones} zones hold {pods} Pods; {said}")
    raise UsageError("most-pods", most, said)
