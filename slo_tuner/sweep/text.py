"""Sweeps in words and as a table: the headline, what to know before trusting it, the numbers."""

from collections.abc import Sequence

from command_line.terminal import plain_table, print_table

from ..slo.numerals import rate_text
from ..slo.objective import Objective
from .compare import Spread, best, levels
from .record import SweepRecord, SweepResults


def sweep_headline(record: SweepRecord) -> str:
    """What the first other target adds with one request in flight, and to the highest throughput; and if disturbed."""
    return _headline(record) + _disturbed(record)


def _disturbed(record: SweepRecord) -> str:
    """A sentence where points of the two targets that a headline is about were disturbed; else empty."""
    points = [point for target in record.targets[:2] for one_round in target.rounds for point in one_round]
    found = [str(point.disturbance) for point in points if point.disturbed]
    return f" Disturbed: {len(found)} of {len(points)} points, as the first: {found[0]}." if found else ""


def _headline(record: SweepRecord) -> str:
    first, found = record.targets[0], levels(record)
    peak = best(first)
    if peak is None:
        return "No round has ended."
    said = f"Through {first.name} {record.model} serves up to {rate_text(peak.rate_per_s)} requests per second"
    if len(record.targets) == 1:
        return f"{said}, with {peak.concurrency} in flight."
    other, alone_first, alone = record.targets[1], found[0], found[1]
    theirs = best(other)
    assert theirs is not None
    return (
        f"{said}, through {other.name} up to {rate_text(theirs.rate_per_s)}. With one in flight {other.name} adds "
        f"{range_text(alone.p50_ms.added, 2)} ms to the median latency of {alone_first.p50_ms.value.median:.2f} ms."
    )


def sweep_notes(results: SweepResults) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = [] if results.complete else ["The run was ended early: rounds are missing."]
    for target in results.sweep.targets:
        points = [point for one_round in target.rounds for point in one_round]
        failed = sum(point.errors for point in points)
        if failed:
            said.append(f"{failed} of {sum(point.requests for point in points)} requests through {target.name} failed.")
        disturbed = sum(point.disturbed for point in points)
        if disturbed:
            said.append(f"{disturbed} of {len(points)} points through {target.name} were disturbed by other programs.")
    return said


def peaks(record: SweepRecord, objective: Objective) -> list[tuple[str, str, str, str]]:
    """For each target its name, its address, its highest throughput, and the highest within the objective."""
    rows = []
    for target in record.targets:
        chosen = (best(target), best(target, objective))
        said = [f"{rate_text(one.rate_per_s)} ({one.concurrency})" if one else "none" for one in chosen]
        rows.append((target.name, target.address, said[0], said[1]))
    return rows


def print_sweep(record: SweepRecord) -> None:
    """Print every target at every number in flight to standard output, never narrower than the table needs."""
    rounds = len(record.targets[0].rounds)
    title = f"{record.model}: medians of {rounds} rounds, and what a target adds (lowest to highest)"
    columns = ("in flight", "target", "P50 ms", "added ms", "P95 ms", "added ms", "req/s", "added %")
    table = plain_table(title, columns, left=("target",))
    last = None
    for level in levels(record):
        cells: Sequence[str] = (
            f"{level.p50_ms.value.median:.1f}",
            range_text(level.p50_ms.added, 1, sign=True),
            f"{level.p95_ms.value.median:.1f}",
            range_text(level.p95_ms.added, 1, sign=True),
            rate_text(level.rate_per_s.value.median),
            range_text(level.rate_per_s.added_share, 1, 100, sign=True),
        )
        table.add_row(str(level.concurrency) if level.concurrency != last else "", level.target, *cells)
        last = level.concurrency
    print_table(table)


def range_text(spread: Spread | None, digits: int, scale: float = 1.0, sign: bool = False) -> str:
    """`median (lowest to highest)`; empty for None."""
    if spread is None:
        return ""
    plus = "+" if sign else ""
    median, lowest, highest = (f"{scale * v:{plus}.{digits}f}" for v in (spread.median, spread.lowest, spread.highest))
    return f"{median} ({lowest} to {highest})"
