"""Sweeps through several ways in words and as a table: the headline, what to know before trusting it, the numbers."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ..objective import Objective
from ..results import Results, Ways
from .compare import Spread, best, levels


def ways_headline(ways: Ways) -> str:
    """What the first other way adds with one request in flight, and to the highest throughput."""
    first, found = ways.ways[0], levels(ways)
    peak = best(first)
    if peak is None:
        return "No round has ended."
    said = f"Through {first.name} {ways.model} serves up to {peak.rate_per_s:.1f} requests per second"
    if len(ways.ways) == 1:
        return f"{said}, with {peak.concurrency} in flight."
    other, alone_first, alone = ways.ways[1], found[0], found[1]
    theirs = best(other)
    assert theirs is not None
    return (
        f"{said}, through {other.name} up to {theirs.rate_per_s:.1f}. With one in flight {other.name} adds "
        f"{range_text(alone.p50_ms.added, 2)} ms to the median latency of {alone_first.p50_ms.value.median:.2f} ms."
    )


def ways_notes(results: Results) -> list[str]:
    """What a reader must know before trusting the numbers."""
    assert results.ways is not None
    said = [] if results.complete else ["The run was ended early: rounds are missing."]
    for way in results.ways.ways:
        points = [point for one_round in way.rounds for point in one_round]
        failed = sum(point.errors for point in points)
        if failed:
            said.append(f"{failed} of {sum(point.requests for point in points)} requests through {way.name} failed.")
    return said


def peaks(ways: Ways, objective: Objective) -> list[tuple[str, str, str, str]]:
    """For each way its name, its address, its highest throughput, and the highest within the objective."""
    rows = []
    for way in ways.ways:
        chosen = (best(way), best(way, objective))
        said = [f"{one.rate_per_s:.1f} ({one.concurrency})" if one else "none" for one in chosen]
        rows.append((way.name, way.address, said[0], said[1]))
    return rows


def print_ways(ways: Ways) -> None:
    """Print every way at every number in flight to standard output, never narrower than the table needs."""
    rounds = len(ways.ways[0].rounds)
    table = Table(
        title=f"{ways.model}: medians of {rounds} rounds, and what a way adds (lowest to highest)", title_justify="left"
    )
    for name in ("in flight", "way", "P50 ms", "added ms", "P95 ms", "added ms", "req/s", "added %"):
        table.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    last = None
    for level in levels(ways):
        cells: Sequence[str] = (
            f"{level.p50_ms.value.median:.1f}",
            range_text(level.p50_ms.added, 1, sign=True),
            f"{level.p95_ms.value.median:.1f}",
            range_text(level.p95_ms.added, 1, sign=True),
            f"{level.rate_per_s.value.median:.1f}",
            range_text(level.rate_per_s.added_share, 1, 100, sign=True),
        )
        table.add_row(str(level.concurrency) if level.concurrency != last else "", level.way, *cells)
        last = level.concurrency
    console = Console()
    Console(width=max(console.width, 140)).print(table)


def range_text(spread: Spread | None, digits: int, scale: float = 1.0, sign: bool = False) -> str:
    """`median (lowest to highest)`; empty for None."""
    if spread is None:
        return ""
    plus = "+" if sign else ""
    median, lowest, highest = (f"{scale * v:{plus}.{digits}f}" for v in (spread.median, spread.lowest, spread.highest))
    return f"{median} ({lowest} to {highest})"
