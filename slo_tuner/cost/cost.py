"""What inferences cost: each measured rate at the price of a machine, and how many machines a given rate takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..results.costs import Cost, CostRow
from .prices import CapacityMargin, Offer, replicas, usd_per_million


@dataclass(frozen=True)
class Measured:
    """A variant's highest rate within the objective (None: it kept it at none), and what it was measured on."""

    model: str
    rate_per_s: float | None
    generator_limited: bool
    measured_on: str
    offer: Offer


def cost(measured: Sequence[Measured], total_rate_per_s: float, spare: CapacityMargin) -> Cost:
    """The costs of all variants; ratios refer to the first that kept the objective, as the reference's 163 times do."""
    base = next((_usd_per_million(one) for one in measured if one.rate_per_s), None)
    rows = tuple(_row(one, base, total_rate_per_s, spare) for one in measured)
    return Cost(total_rate_per_s=total_rate_per_s, headroom=spare.headroom, zones=spare.zones, rows=rows)


def _row(one: Measured, base: float | None, total_rate_per_s: float, spare: CapacityMargin) -> CostRow:
    row = CostRow(
        model=one.model,
        machine=one.offer.name,
        usd_per_hour=one.offer.usd_per_hour,
        prices_as_of=one.offer.as_of,
        measured_on=one.measured_on,
        rate_per_s=one.rate_per_s,
        at_most=one.generator_limited,
    )
    each = _usd_per_million(one)
    if one.rate_per_s is None or each is None or base is None:
        return row
    machines = replicas(total_rate_per_s, one.rate_per_s, spare)
    followed = {
        "usd_per_million": each,
        "times_cheaper": base / each,
        "machines": machines,
        "fleet_usd_per_hour": machines * one.offer.usd_per_hour,
    }
    return row.model_copy(update=followed)


def _usd_per_million(one: Measured) -> float | None:
    return usd_per_million(one.offer.usd_per_hour, one.rate_per_s) if one.rate_per_s else None


def cheapest(found: Cost) -> CostRow | None:
    """The row with the lowest cost of an inference; None where no variant kept the objective."""
    met = [row for row in found.rows if row.usd_per_million is not None]
    return min(met, key=lambda row: row.usd_per_million or 0.0, default=None)


def spared(found: Cost) -> str:
    """What the number of machines has to spare, in words."""
    lost = f"one zone of {found.zones} lost" if found.zones > 1 else "no zone lost"
    return f"{found.headroom:.0%} headroom, {lost}"
