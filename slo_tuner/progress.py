"""What a person sees while it is measured: one line an event, with numbers and units, and the table at the end."""

import sys

from rich.console import Console
from rich.table import Table

from .results import ModelResult, Point, Results, SweepPoint

_VERDICTS = {True: "[green]kept[/]", False: "[red]missed[/]"}


class Progress:
    """Prints to standard error; standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One plain line."""
        self._console.print(text)

    def sweep_point(self, point: SweepPoint, before: str = "") -> None:
        """A point of the closed-loop curve, with words of the caller's before it."""
        self.say(
            f"  {before}in flight {point.concurrency:3}  {point.rate_per_s:8.1f} req/s  "
            f"P50 {point.latency.p50_ms:7.1f} ms  P95 {point.latency.p95_ms:7.1f} ms"
        )

    def point(self, point: Point) -> None:
        """An open-loop point and its verdict."""
        verdict = f"[yellow]void[/]: {point.void_reason}" if point.void else _VERDICTS[point.kept]
        sure = (
            ""
            if point.void or point.purpose in ("confirm", "single")
            else (" (certain)" if point.certain else " (close)")
        )
        failed = f", {point.errors} failed" if point.errors else ""
        self.say(
            f"  {point.purpose:8} {point.rate_per_s:8.1f} req/s  P95 {point.latency.p95_ms:7.1f} ms  "
            f"{point.miss_share * 100:5.1f} % late  {point.requests:5} requests in {point.duration_s:4.1f} s{failed}  "
            f"{verdict}{sure}"
        )


def ladder_table(results: Results) -> Table:
    """The ladder as a terminal table: rate within the objective, its ratio to the first model, and what explains it."""
    objective = results.objective.objective()
    table = Table(title=f"Highest request rate within {objective}", title_justify="left")
    for name in (
        "model",
        "req/s",
        "ratio",
        f"P{objective.quantile * 100:g} ms",
        "unloaded ms",
        "queue ms",
        "compute ms",
        "batch",
    ):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    base = baseline(results)
    for model in results.models:
        table.add_row(*_cells(model, base))
    return table


def print_table(results: Results) -> None:
    """Print the ladder to standard output, never narrower than the table needs."""
    console = Console()
    Console(width=max(console.width, 110)).print(ladder_table(results))


def baseline(results: Results) -> ModelResult | None:
    """The model that ratios refer to: `original` where it was measured, else the first; None when it met nothing."""
    first = next((m for m in results.models if m.model == "original"), results.models[0] if results.models else None)
    return first if first is not None and first.rate_per_s else None


def unmet(model: ModelResult) -> str:
    """Why a model has no rate: its server missed the objective, or the load generator could not tell."""
    return "void: the load generator lagged" if model.generator_limited else "not met"


def _cells(model: ModelResult, base: ModelResult | None) -> list[str]:
    unloaded = "" if model.unloaded_ms is None else f"{model.unloaded_ms:.1f}"
    if model.rate_per_s is None:
        return [model.model, "not met", "", "", unloaded, "", "", ""]
    repeats = model.confirmations
    servers = [p.server for p in repeats if p.server]
    mean = sum(p.objective_quantile_ms for p in repeats) / len(repeats)
    ratio = f"{model.rate_per_s / base.rate_per_s:.2f}" if base and base.rate_per_s else ""
    more = ["", "", ""]
    if servers:
        compute = sum(s.compute_input_ms + s.compute_infer_ms + s.compute_output_ms for s in servers) / len(servers)
        queue = sum(s.queue_ms for s in servers) / len(servers)
        more = [f"{queue:.1f}", f"{compute:.1f}", f"{sum(s.batch_size for s in servers) / len(servers):.2f}"]
    rate = f"{'>= ' if model.generator_limited else ''}{model.rate_per_s:.1f}"
    return [model.model, rate, ratio, f"{mean:.1f}", unloaded, *more]
