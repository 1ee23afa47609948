"""The ladder as a table for the terminal, and the model that its ratios refer to."""

from rich.console import Console
from rich.table import Table

from ..results.schema import ModelResult, Results

BASELINE = "original"
"""The model as it was before anything was optimised."""


def ladder_table(results: Results) -> Table:
    """The ladder as a terminal table: rate within the objective, its ratio to the first model, and what explains it."""
    objective = results.objective
    table = Table(title=f"Highest request rate within {objective}", title_justify="left")
    for name in (
        "model",
        "req/s",
        "ratio",
        f"{objective.quantile_name} ms",
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
    measured = [model for model in results.models if not model.failure]
    first = next((m for m in measured if m.model == BASELINE), measured[0] if measured else None)
    return first if first is not None and first.rate_per_s else None


def unmet(model: ModelResult) -> str:
    """Why a model has no rate: its server missed the objective, or the load generator could not tell."""
    return "invalid: the load generator lagged" if model.generator_limited else "not met"


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
