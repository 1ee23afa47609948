"""The fleet's part of results.json: the trace, the choices, what they cost, and what is late."""

from typing import Literal, get_args

from pydantic import field_validator

from ..results.record import Record
from ..results.schema import Results
from .settings import Nodes, Requests, ScalingSettings, StartUp

ChoiceName = Literal["thrifty", "balanced", "safe", "fixed"]


class TraceFacts(Record):
    """The trace as it was simulated. `peak_per_s` is of its busiest minute; `filled` steps were missing in the file."""

    name: str
    start: str
    duration_s: float
    step_s: float
    requests: float
    mean_per_s: float
    peak_per_s: float
    filled: int


class Series(Record):
    """Means over each `step_s` from `start_s` on: what was asked, Pods that served, the share late, dollars an hour."""

    start_s: float
    step_s: float
    rates_per_s: tuple[float, ...]
    pods: tuple[float, ...]
    late_shares: tuple[float, ...]
    usd_per_hour: tuple[float, ...]


class Choice(Record):
    """Settings and what becomes of the trace with them.

    `kept` says whether they keep what their name promises. `zone_lost_share` is the share late in the worst ten minutes
    when the zone with most Pods is lost at the busiest time, None with one zone. `burst` is the time around the
    steepest rise.
    """

    name: ChoiceName
    scaling: ScalingSettings
    kept: bool
    late_share: float
    worst_share: float
    zone_lost_share: float | None
    shed_share: float
    usd: float
    usd_per_million: float
    least_pods: int
    mean_pods: float
    most_pods: int
    reclaimed: int
    series: Series
    burst: Series


class Trade(Record):
    """Settings that were looked at: dollars against lateness. `exact`: not by the rough simulation alone."""

    scaling: ScalingSettings
    usd: float
    late_share: float
    worst_share: float
    exact: bool


class Headroom(Record):
    """How much the load rises while Pods need `start_up_s` to come: at most, and in 99 of 100 cases, as shares.

    What has to be spare at any moment for a rise to be served until the Pods are there.
    """

    start_up_s: float
    highest: float
    usual: float


class VariantCost(Record):
    """A variant on a machine: dollars for a million requests at full load, and at the trace, scaled like the choice."""

    model: str
    machine: str
    capacity_per_s: float
    usd_per_million_full: float
    usd_per_million_trace: float
    worst_share: float
    mean_pods: float


class PublishedRatio(Record):
    """How many times less an inference costs on the GPU machine: as published at full load, and at the trace."""

    full_load: float
    trace: float
    cpu_machine: str
    gpu_machine: str


class FleetRecord(Record):
    """A fleet of one model. `assumed` are the parts of the start-up that nobody has measured."""

    model: str
    capacity_per_s: float
    machine: str
    usd_per_hour: float
    prices_as_of: str
    trace: TraceFacts
    start_up: StartUp
    assumed: tuple[str, ...]
    nodes: Nodes
    requests: Requests
    allowed_share: float
    allowed_worst_share: float
    step_s: float
    choices: tuple[Choice, ...]
    frontier: tuple[Trade, ...]
    headroom: tuple[Headroom, ...]
    variants: tuple[VariantCost, ...]
    published: PublishedRatio | None
    notes: tuple[str, ...]

    @field_validator("choices")
    @classmethod
    def _all_choices(cls, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        if sorted(one.name for one in choices) != sorted(names := get_args(ChoiceName)):
            raise ValueError(f"it has each of {', '.join(names)} once")
        return choices

    def choice(self, name: ChoiceName) -> Choice:
        """The choice of a name."""
        return next(one for one in self.choices if one.name == name)


class FleetResults(Results):
    """results.json of `slo-tuner fleet`; its models are those that were measured, without their points."""

    kind: Literal["fleet"] = "fleet"
    fleet: FleetRecord
