"""The command `slo-tuner compare`: whether new results are worse than old ones, as a table, JSON and an exit code."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from command_line.errors import UsageError
from command_line.exit_codes import ExitCode
from command_line.terminal import plain_table, print_table

from ..report.compare import Comparison, ModelComparison, Pair, compare
from ..report.read import read_rates
from ..slo.numerals import beside, rate_text
from ..slo.rate_interval import ERROR_PROBABILITY, Verdict

_CODES = {Verdict.NOT_WORSE: ExitCode.DONE, Verdict.WORSE: ExitCode.NOT_KEPT, Verdict.UNKNOWN: ExitCode.UNKNOWN}


def compare_command(options: argparse.Namespace) -> ExitCode:
    """Compare two results; DONE: not worse, NOT_KEPT: worse, UNKNOWN: it can't be told."""
    within, pairs = _within(options.within), [_pair(text) for text in options.model]
    found = compare(read_rates("old", options.old), read_rates("new", options.new), pairs, within)
    if options.json:
        print(json.dumps(_as_json(found), indent=1))
    else:
        print_comparison(found)
    return _CODES[found.verdict]


def _within(text: str) -> float:
    number = text.removesuffix("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.5:
        raise UsageError("within", text, "give the share that a rate may be lower, from 0% to 50%")
    if 0 < share < 0.01 and number == text:
        raise UsageError("within", text, f"write {100 * share:g}%, or {10_000 * share:g}% if that is what you mean")
    return share


def _pair(text: str) -> Pair:
    old, separator, new = text.partition("=")
    if not old or (separator and not new):
        raise UsageError("model", text, "write NAME, or OLD_NAME=NEW_NAME")
    return old, new or old


def print_comparison(found: Comparison) -> None:
    """Print the table, what makes results incomparable, and the verdict, to standard output."""
    lower = f"{100 * found.within:g} %"
    title = f"NEW against OLD; worse: more than {lower} lower; each end is {1 - ERROR_PROBABILITY:.0%} sure"
    columns = ("model", "OLD req/s", "NEW req/s", "change", "from", "to", "verdict")
    table = plain_table(title, columns, left=("model", "verdict"))
    for model in found.models:
        table.add_row(*_cells(model, found.within))
    print_table(table)
    told = {f"{_name(model)}: {model.reason}": None for model in found.models if model.reason}
    for line in (*told, *found.notes):
        print(line)
    print(f"NEW is {_SAID[found.verdict]}")


_SAID = {
    Verdict.NOT_WORSE: "not worse than OLD",
    Verdict.WORSE: "worse than OLD",
    Verdict.UNKNOWN: "not known to be worse than OLD, nor not to be",
}


def _name(model: ModelComparison) -> str:
    return model.model if model.model == model.old_model else f"{model.old_model} -> {model.model}"


def _cells(model: ModelComparison, within: float) -> tuple[str, ...]:
    rates = ["none" if rate is None else rate_text(rate) for rate in (model.old_per_s, model.new_per_s)]
    ratio = model.ratio
    ends = () if ratio is None else (ratio.ratio, ratio.lower, ratio.upper)
    changes = [f"{beside(100 * (one - 1), -100 * within, sign='+')}%" for one in ends] or [""] * 3
    return _name(model), *rates, *changes, str(model.verdict)


def _as_json(found: Comparison) -> dict[str, Any]:
    return {"verdict": str(found.verdict), **asdict(found)}
