"""A fleet in words and in a table: for the terminal and the page."""

from command_line.terminal import plain_table, print_table

from ..cost.prices import usd_text
from ..slo.numerals import percent
from .record import Choice, FleetRecord

PROMISES = {
    "thrifty": "the objective over the whole trace",
    "balanced": "and in the worst ten minutes",
    "safe": "and with a zone lost at the busiest time",
    "fixed": "the fewest Pods that do the same without an autoscaler",
}


def fleet_headline(fleet: FleetRecord) -> str:
    """The result in one sentence."""
    balanced, fixed = fleet.choice("balanced"), fleet.choice("fixed")
    if not balanced.kept:
        return (
            f"No settings that were tried keep the objective in the worst ten minutes: with {balanced.scaling} "
            f"{percent(balanced.worst_share, fleet.allowed_worst_share)} of the requests are late in them."
        )
    pods = f"{balanced.least_pods} to {balanced.most_pods}"
    return (
        f"{balanced.most_pods if balanced.least_pods == balanced.most_pods else pods} Pods of {fleet.model} serve the "
        f"trace for ${usd_text(balanced.usd_per_million)} a million requests, {_compared(balanced, fixed)}, with "
        f"{percent(balanced.late_share, fleet.allowed_share)} late and "
        f"{percent(balanced.worst_share, fleet.allowed_worst_share)} in the worst ten minutes."
    )


def _compared(balanced: Choice, fixed: Choice) -> str:
    """What an autoscaler spares."""
    count = fixed.scaling.replicas
    if not fixed.kept:
        return f"where no fixed number of Pods up to {count} keeps the objective"
    pods = f"{count} fixed {'ones' if count > 1 else 'one'}"
    saved = 1 - balanced.usd / fixed.usd
    if abs(saved) < 0.005:
        return f"as much as {pods}"
    return f"{100 * abs(saved):.0f} % {'less' if saved > 0 else 'more'} than {pods}"


def count(value: float) -> str:
    """A number of requests or a rate, without an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def fleet_notes(fleet: FleetRecord) -> list[str]:
    """What a reader must know before trusting the numbers."""
    notes = list(fleet.notes)
    if fleet.assumed:
        notes.append(f"Assumed, not measured: {', '.join(fleet.assumed)}. Give your own; starts decide about bursts.")
    for choice in fleet.choices:
        if not choice.kept:
            notes.append(f"{choice.name}: not kept by any settings that were tried; these come closest.")
    if fleet.trace.filled:
        notes.append(f"{fleet.trace.filled} steps were missing in the trace and are guessed.")
    return notes


def print_fleet(fleet: FleetRecord) -> None:
    """Print the choices to standard output."""
    title = f"{fleet.model} on {fleet.machine}, {fleet.trace.name}: {count(fleet.trace.requests)} requests"
    columns = ("choice", "settings", "Pods", "late", "worst 10 min", "a zone lost", "$", "$ per million", "")
    table = plain_table(title, columns, left=("choice", "settings", ""))
    for choice in fleet.choices:
        table.add_row(*_cells(fleet, choice))
    print_table(table)
    for note in fleet_notes(fleet):
        print(note)


def _cells(fleet: FleetRecord, choice: Choice) -> tuple[str, ...]:
    return (
        choice.name,
        str(choice.scaling),
        f"{choice.least_pods} to {choice.most_pods}, mean {choice.mean_pods:.1f}",
        percent(choice.late_share, fleet.allowed_share),
        percent(choice.worst_share, fleet.allowed_worst_share),
        percent(choice.zone_lost_share, fleet.allowed_worst_share) if choice.zone_lost_share is not None else "",
        usd_text(choice.usd),
        usd_text(choice.usd_per_million, 3),
        "kept" if choice.kept else "not kept",
    )
