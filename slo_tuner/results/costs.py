"""The records of what inferences cost, kept with the results; slo_tuner/cost makes them."""

import datetime

from .record import Record


class CostRow(Record):
    """A variant on a machine. What follows from its rate is None where it kept the objective at no rate.

    `at_most`: the rate was set by the load generator, or was the one that was asked for, so the machine may serve more
    and cost less. `note` says why there is no rate, or what weakens it: others disturbed it, or it is within another
    objective than the first results'.
    """

    model: str
    machine: str
    usd_per_hour: float
    prices_as_of: datetime.date
    measured_on: str
    rate_per_s: float | None
    at_most: bool
    note: str = ""
    usd_per_million: float | None = None
    times_cheaper: float | None = None
    machines: int | None = None
    fleet_usd_per_hour: float | None = None


class Cost(Record):
    """Rows in the order of the variants; `machines` of each serve `total_rate_per_s` with this much to spare."""

    total_rate_per_s: float
    headroom: float
    zones: int
    rows: tuple[CostRow, ...]
