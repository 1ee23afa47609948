"""What inferences cost: each measured rate at the price of a machine, and how many machines a given rate takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..results.bounds import ratio_bound
from ..results.costs import Cost, CostRow
from ..results.schema import ModelResult
from .prices import CapacityMargin, Offer, replicas, usd_per_million


@dataclass(frozen=True)
class Priced:
    """A model with its highest rate within the objective, what it was measured on, and a machine at its price.

    `note` is what a reader must know of the rate, beside what the model itself says.
    """

    model: ModelResult
    measured_on: str
    offer: Offer
    note: str = ""

    @property
    def usd_per_million(self) -> float | None:
        """What a million inferences cost; None where it kept the objective at no rate."""
        rate = self.model.rate_per_s
        return usd_per_million(self.offer.usd_per_hour, rate) if rate else None


def cost(priced: Sequence[Priced], total_rate_per_s: float, spare: CapacityMargin) -> Cost:
    """The costs of all variants; ratios refer to the first that kept the objective, as the reference's 163 times do."""
    base = next((one.usd_per_million for one in priced if one.usd_per_million is not None), None)
    rows = tuple(_row(one, base, total_rate_per_s, spare) for one in priced)
    return Cost(total_rate_per_s=total_rate_per_s, headroom=spare.headroom, zones=spare.zones, rows=rows)


def _row(one: Priced, base: float | None, total_rate_per_s: float, spare: CapacityMargin) -> CostRow:
    rate, each = one.model.rate_per_s, one.usd_per_million
    row = CostRow(
        model=one.model.model,
        machine=one.offer.name,
        usd_per_hour=one.offer.usd_per_hour,
        prices_as_of=one.offer.as_of,
        measured_on=one.measured_on,
        rate_per_s=rate,
        at_most=one.model.at_least,
        note="; ".join(_notes(one)),
    )
    if rate is None or each is None or base is None:
        return row
    machines = replicas(total_rate_per_s, rate, spare)
    followed = {
        "usd_per_million": each,
        "times_cheaper": base / each,
        "machines": machines,
        "fleet_usd_per_hour": machines * one.offer.usd_per_hour,
    }
    return row.model_copy(update=followed)


def _notes(one: Priced) -> list[str]:
    model = one.model
    if model.rate_per_s is None:
        return [model.unmet]
    said = {
        f"disturbed: {model.disturbed}": bool(model.disturbed),
        "the load generator set the rate": model.generator_limited,
        "the rate was asked for, no highest one was searched": model.asked is not None,
        one.note: bool(one.note),
    }
    return [text for text, is_so in said.items() if is_so]


def bound(row: CostRow, found: Cost) -> str:
    """How exact `times_cheaper` is (see `ratio_bound`): a rate that may be higher makes its own row cheaper."""
    first = next((one for one in found.rows if one.usd_per_million is not None), row)
    return "" if row is first else ratio_bound(row.at_most, first.at_most)


def cheapest(found: Cost) -> CostRow | None:
    """The row with the lowest cost of an inference; None where no variant kept the objective."""
    met = [row for row in found.rows if row.usd_per_million is not None]
    return min(met, key=lambda row: row.usd_per_million or 0.0, default=None)


def spared(found: Cost) -> str:
    """What the number of machines has to spare, in words."""
    lost = f"one zone of {found.zones} lost" if found.zones > 1 else "no zone lost"
    return f"{found.headroom:.0%} headroom, {lost}"
