"""What a fleet is told: its scaling settings, its nodes and zones, how Pods start, and how requests reach them."""

from typing import Annotated, Literal

from pydantic import Field

from ..results.record import Record

SYNC_S = 15.0
"""`--horizontal-pod-autoscaler-sync-period` of the controller manager."""
SCRAPE_S = 10.0
"""`monitoring.podMonitor.interval` of the chart."""
Mode = Literal["fixed", "keda", "hpa"]
Balancing = Literal["requests", "connections"]

_Count = Annotated[int, Field(ge=0, le=1000)]


class ScalingSettings(Record):
    """`scaling` of charts/triton, with the names of its values in Python's spelling.

    `least` and `most` are `minReplicas` and `maxReplicas`. `rate_target_percent` is `requestRate.targetPercent`, None
    where that does not scale; `queue_target_ms` and `gpu_target_percent` likewise.
    """

    mode: Mode = "keda"
    replicas: _Count = 1
    least: _Count = 1
    most: _Count = 4
    cooldown_s: int = 360
    window_s: int = 60
    polling_s: int = 15
    up_percent: int = 100
    up_pods: int = 2
    up_period_s: int = 60
    up_stabilization_s: int = 0
    down_percent: int = 10
    down_period_s: int = 60
    rate_target_percent: int | None = 80
    queue_target_ms: float | None = None
    gpu_target_percent: int | None = None

    def __str__(self) -> str:
        """In a few words."""
        if self.mode == "fixed":
            return f"{self.replicas} Pod{'s' if self.replicas != 1 else ''}, fixed"
        targets = [
            f"{self.rate_target_percent} % of a Pod's capacity" if self.rate_target_percent else "",
            f"{self.queue_target_ms:g} ms of queue" if self.queue_target_ms else "",
            f"{self.gpu_target_percent} % GPU utilisation" if self.gpu_target_percent else "",
        ]
        return (
            f"{self.least} to {self.most} Pods at {' and '.join(t for t in targets if t)}, window {self.window_s} s, "
            f"cool-down {self.cooldown_s} s"
        )


class StartUp(Record):
    """Seconds from the wish for a Pod until it serves: a node, the image on it, the model's load, and its warm-up.

    A node that is there already needs neither of the first two. `load_measured` says where `load_s` is from.
    """

    node_s: float = 120.0
    image_s: float = 60.0
    load_s: float = 10.0
    warm_up_s: float = 5.0
    load_measured: bool = False

    @property
    def new_node_s(self) -> float:
        """On a node that has to come first."""
        return self.node_s + self.image_s + self.here_s

    @property
    def here_s(self) -> float:
        """On a node that is there."""
        return self.load_s + self.warm_up_s


class Nodes(Record):
    """The nodes of a fleet, one Pod each, and what happens to them.

    `per_zone` is the most nodes of a zone. A node without a Pod stays `idle_s` and is paid for, as is one whose Pod
    drains for `drain_s`. `reclaims_per_hour` is how often a spot node is taken away in an hour, with a notice in which
    its Pod drains. A zone that is lost between `lost_from_s` and `lost_until_s` loses its nodes at once: requests go to
    its Pods for `unnoticed_s`, and they are made again elsewhere after `evicted_s`.
    """

    zones: Annotated[int, Field(ge=1, le=100)] = 3
    per_zone: Annotated[int, Field(ge=1, le=1000)] = 1000
    idle_s: float = 600.0
    drain_s: float = 30.0
    reclaims_per_hour: float = 0.0
    lost_from_s: float | None = None
    lost_until_s: float | None = None
    unnoticed_s: float = 50.0
    evicted_s: float = 300.0

    @property
    def most(self) -> int:
        """Nodes of all zones."""
        return self.zones * self.per_zone


class Requests(Record):
    """How requests reach Pods: each to the next Pod, or over long-lived `connections` that a Service deals out at
    random and that end after `connection_age_s`. `tier_2_share` of them are of a tier that is held back first."""

    balancing: Balancing = "requests"
    connections: Annotated[int, Field(ge=1)] = 1000
    connection_age_s: float = 300.0
    tier_2_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class FleetPlan(Record):
    """A fleet as it is simulated; the controller decides every `sync_s`, and Prometheus scrapes every `scrape_s`."""

    scaling: ScalingSettings
    start_up: StartUp = StartUp()
    nodes: Nodes = Nodes()
    requests: Requests = Requests()
    sync_s: float = SYNC_S
    scrape_s: float = SCRAPE_S
