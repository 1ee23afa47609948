"""The command `slo-tuner cost`: results and prices become costs, in the first results and their report."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from command_line.arguments import digits, positive
from command_line.errors import UsageError
from command_line.terminal import plain_table, print_table

from ..cost.cost import Priced, bound, cost, spared
from ..cost.prices import OWN_TABLE, CapacityMargin, Offer, PriceTable, read_prices, usd_text
from ..report.page import write_report
from ..report.read import read_rates
from ..results.costs import Cost, CostRow
from ..results.file import write_results
from ..results.schema import Results
from ..slo.numerals import rate_text


def cost_command(options: argparse.Namespace) -> int:
    """Price the results, keep the costs with the first of them, write its report, and print the table."""
    table, total = read_prices(options.prices or OWN_TABLE), positive("total-rate", options.total_rate)
    spare = _spare(options)
    results = [read_rates("results", path) for path in options.results]
    priced = [
        Priced(model, str(one.run.server), offer, _other_objective(one, results[0]))
        for one, offers in zip(results, _offers(results, options.machine, table), strict=True)
        for offer in offers
        for model in one.models
    ]
    found = cost(priced, total, spare)
    path: Path = options.results[0]
    with_costs = results[0].model_copy(update={"cost": found})
    write_results(with_costs, path)
    write_report(with_costs, path.with_name("report.html"))
    print_costs(found)
    print(f"report: {path.with_name('report.html')}", file=sys.stderr)
    return 0


def _other_objective(results: Results, first: Results) -> str:
    """What keeps rates from being compared: within a looser objective any server keeps more."""
    return f"within another objective, {results.objective}" if results.objective != first.objective else ""


def _spare(options: argparse.Namespace) -> CapacityMargin:
    headroom = options.headroom.removesuffix("%")
    share, zones = digits(headroom), digits(options.zones)
    if share is None or share > 90:
        raise UsageError("headroom", options.headroom, "give a share from 0% to 90%")
    if zones is None or not 1 <= zones <= 100:
        raise UsageError("zones", options.zones, "give a number of zones from 1 to 100; 1 plans for no loss of a zone")
    return CapacityMargin(share / 100, zones)


def _offers(results: Sequence[Results], machines: Sequence[str], table: PriceTable) -> list[list[Offer]]:
    """The machines to price each of the results on: those given, or those of the table that are of its kind."""
    if not machines:
        return [_of_the_same_kind(one, table) for one in results]
    offers = [table.offer(name) for name in machines]
    if len(results) == 1:
        return [offers]
    if len(offers) != len(results):
        raise UsageError("machine", ", ".join(machines), f"give one machine for each of the {len(results)} results")
    return [[offer] for offer in offers]


def _of_the_same_kind(results: Results, table: PriceTable) -> list[Offer]:
    machine = results.run.server.machine
    if machine is None:
        raise UsageError(
            "machine", "", f"the results don't tell what the server ran on; name one of {', '.join(table.machines)}"
        )
    if not machine.gpus:
        return [table.offer(name) for name in table.machines]
    if not table.gpus:
        raise UsageError("prices", "no GPU", "results of a machine with GPUs need the price of one, or --machine")
    return [table.offer(f"{name}+{gpu}") for name in table.machines for gpu in table.gpus]


def print_costs(found: Cost) -> None:
    """Print the costs to standard output, never narrower than the table needs."""
    title = f"At the highest rate within the objective; machines for {found.total_rate_per_s:g} req/s, {spared(found)}"
    columns = ("model", "machine", "$/h", "req/s", "$ per million", "times less", "machines", "$/h in all")
    table = plain_table(title, columns, left=("model", "machine"))
    for row in found.rows:
        table.add_row(row.model, row.machine, usd_text(row.usd_per_hour), *_cells(row, found))
    print_table(table)
    for note in dict.fromkeys(f"{row.model}: {row.note}" for row in found.rows if row.rate_per_s and row.note):
        print(note)
    for machine in sorted({row.measured_on for row in found.rows}):
        print(f"rates measured on {machine}: they hold for a priced machine only where it is as fast")


def _cells(row: CostRow, found: Cost) -> list[str]:
    if row.rate_per_s is None:
        return [row.note or "not met", "", "", "", ""]
    more, less = (">= ", "<= ") if row.at_most else ("", "")
    return [
        f"{more}{rate_text(row.rate_per_s)}",
        f"{less}{usd_text(row.usd_per_million or 0.0)}",
        f"{bound(row, found)} {row.times_cheaper:.2f}".strip(),
        f"{less}{row.machines}",
        f"{less}{usd_text(row.fleet_usd_per_hour or 0.0)}",
    ]
