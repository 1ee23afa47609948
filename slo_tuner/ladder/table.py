"""The ladder as a table for the terminal, and the model that its ratios refer to."""

from rich.table import Table

from command_line import terminal

from ..results.bounds import ratio_bound
from ..results.schema import ModelResult, Results
from ..slo.numerals import rate_text

BASELINE = "original"
"""The model as it was before anything was optimised."""
_ASKED = {"single": "The request rate that was asked for,", "trace": "Mean request rate of the trace,"}


def ladder_table(results: Results) -> Table:
    """The ladder as a terminal table: rate within the objective, its ratio to the first model, and what explains it."""
    objective = results.objective
    quantile = f"{objective.quantile_name} ms"
    columns = ("model", "req/s", "ratio", quantile, "unloaded ms", "queue ms", "compute ms", "batch")
    asked = results.models[0].asked if results.models else None
    title = f"{'Highest request rate' if asked is None else _ASKED[asked.purpose]} within {objective}"
    table = terminal.plain_table(title, columns, left=("model",))
    base = baseline(results)
    for model in results.models:
        table.add_row(*_cells(model, base))
    return table


def print_table(results: Results) -> None:
    """Print the ladder to standard output; below it, why models could not be measured, and what disturbed others."""
    terminal.print_table(ladder_table(results))
    for line in failures(results):
        print(line)
    for model in results.models:
        if model.disturbed:
            print(f"{model.model}: disturbed: {model.disturbed}")


def failures(results: Results) -> list[str]:
    """For each model that could not be measured, why."""
    return [f"{model.model}: not measured: {model.failure}" for model in results.models if model.failure]


def baseline(results: Results) -> ModelResult | None:
    """The model that ratios refer to: `original` where it was measured, else the first; None when it met nothing."""
    measured = [model for model in results.models if not model.failure]
    first = next((m for m in measured if m.model == BASELINE), measured[0] if measured else None)
    return first if first is not None and first.rate_per_s else None


def times(model: ModelResult, base: ModelResult, digits: int = 2) -> str:
    """How many times the base's rate a model keeps; empty where one has none.

    A rate that the load generator set may be higher, so its ratio is a bound (see `ratio_bound`).
    """
    if not model.rate_per_s or not base.rate_per_s:
        return ""
    ratio = f"{model.rate_per_s / base.rate_per_s:.{digits}f}"
    bound = "" if model.model == base.model else ratio_bound(model.generator_limited, base.generator_limited)
    return "not known" if bound == "?" else f"{bound} {ratio}".strip()


def _cells(model: ModelResult, base: ModelResult | None) -> list[str]:
    unloaded = "" if model.unloaded_ms is None else f"{model.unloaded_ms:.1f}"
    mark = " (disturbed)" if model.disturbed else ""
    if model.rate_per_s is None:
        return [model.model, f"{model.unmet}{mark}", "", "", unloaded, "", "", ""]
    repeats = model.confirmations
    servers = [p.server for p in repeats if p.server]
    quantiles = [p.objective_quantile_ms for p in repeats if p.objective_quantile_ms is not None]
    mean = f"{sum(quantiles) / len(quantiles):.1f}" if quantiles else ""
    ratio = times(model, base) if base else ""
    more = ["", "", ""]
    if servers:
        compute = sum(s.compute_input_ms + s.compute_infer_ms + s.compute_output_ms for s in servers) / len(servers)
        queue = sum(s.queue_ms for s in servers) / len(servers)
        more = [f"{queue:.1f}", f"{compute:.1f}", f"{sum(s.batch_size for s in servers) / len(servers):.2f}"]
    rate = f"{'>= ' if model.generator_limited else ''}{rate_text(model.rate_per_s)}{mark}"
    return [model.model, rate, ratio, mean, unloaded, *more]
