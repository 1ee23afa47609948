"""Whether new results are worse than old ones, model by model, and what keeps both from being compared at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from command_line.errors import UsageError

from ..results.schema import ModelResult, Point, Results, ServerFacts
from ..slo.numerals import beside, rate_text
from ..slo.objective import Objective
from ..slo.rate_interval import Ratio, Verdict, edge_of, ratio_of

Pair = tuple[str, str]
"""The names of a model in the old results and in the new ones."""

_SIZE_TOLERANCE = 0.01


@dataclass(frozen=True)
class ModelComparison:
    """What became of one model; rates in requests per second, None: the objective was not met.

    `ratio` is the new rate divided by the old one, by the curves through the points; None where they don't tell.
    """

    old_model: str
    model: str
    old_per_s: float | None
    new_per_s: float | None
    verdict: Verdict
    reason: str
    ratio: Ratio | None = None


@dataclass(frozen=True)
class Comparison:
    """Every model of both results; `within` is the share by which a rate may be lower and is not worse.

    `differences` make the results incomparable, `notes` don't.
    """

    within: float
    models: tuple[ModelComparison, ...]
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """WORSE where a model is; else UNKNOWN where one can't be told."""
        found = {model.verdict for model in self.models}
        return next((one for one in (Verdict.WORSE, Verdict.UNKNOWN) if one in found), Verdict.NOT_WORSE)


def compare(old: Results, new: Results, pairs: Sequence[Pair], within: float) -> Comparison:
    """Compare the models of these names, or those that both have; UsageError where there is none of a name."""
    differences = tuple(_differences(old, new))
    chosen = list(pairs) or _in_both(old, new)
    models = []
    for old_name, name in chosen:
        before, after = _model(old, old_name, "OLD"), _model(new, name, "NEW")
        reason = "; ".join([*differences, *_different_requests(old, new, (old_name, name))])
        models.append(_unknown(before, after, reason) if reason else _compared(before, after, old.objective, within))
    return Comparison(within, tuple(models), differences, tuple(_notes(old, new, chosen)))


def _in_both(old: Results, new: Results) -> list[Pair]:
    names = [model.model for model in new.models]
    both = [(model.model, model.model) for model in old.models if model.model in names]
    if not both:
        of_old = ", ".join(model.model for model in old.models) or "none"
        raise UsageError("model", ", ".join(names), f"OLD has {of_old}; --model OLD=NEW compares different names")
    return both


def _model(results: Results, name: str, which: str) -> ModelResult:
    found = next((model for model in results.models if model.model == name), None)
    if found is None:
        raise UsageError("model", name, f"{which} has {', '.join(model.model for model in results.models) or 'none'}")
    return found


def _compared(old: ModelResult, new: ModelResult, objective: Objective, within: float) -> ModelComparison:
    """Rates that were searched for under like conditions.

    What makes a rate too low (others took the machine, the load was the limit) leaves the verdict that it makes harder.
    """
    if reason := _not_searched(old, "OLD") or _not_searched(new, "NEW"):
        return _unknown(old, new, reason)
    if old.rate_per_s is None or new.rate_per_s is None:
        return _without_rate(old, new, within)
    before, after = (edge_of(_counting(one), objective, one.rate_per_s or 0.0) for one in (old, new))
    if before is None or after is None:
        which = "OLD" if before is None else "NEW"
        return _unknown(old, new, f"{which} has too few points around its rate to tell how sure it is")
    ratio = ratio_of(after, before)
    verdict = ratio.verdict(within)
    lowered = {Verdict.NOT_WORSE: _lowered(old, "OLD"), Verdict.WORSE: _lowered(new, "NEW")}.get(verdict, "")
    if lowered:
        return _unknown(old, new, lowered, ratio)
    if verdict is Verdict.UNKNOWN:
        lower, upper = (beside(100 * (end - 1), -100 * within, sign="+") for end in (ratio.lower, ratio.upper))
        change = f"between {lower}% and {upper}%"
        reason = f"the change is {change}: a longer --effort tells more, or --within {_telling(ratio):.0f}%"
        return _unknown(old, new, reason, ratio)
    return ModelComparison(old.model, new.model, old.rate_per_s, new.rate_per_s, verdict, "", ratio)


def _telling(ratio: Ratio) -> float:
    """The smallest margin, in whole percent, within which the ratio is certainly not worse."""
    return float(-(-100 * max(0.0, 1 - ratio.lower) // 1))


def _not_searched(model: ModelResult, which: str) -> str:
    if model.failure:
        return f"{which} could not be measured: {model.failure}"
    if model.asked is not None:
        what = "at one rate (--rate)" if model.asked.purpose == "single" else "of a trace (--trace)"
        return f"{which} is a measurement {what}, which finds no highest one"
    return ""


def _without_rate(old: ModelResult, new: ModelResult, within: float) -> ModelComparison:
    """Where the objective was not met even at the lowest rate, by one of them or both."""
    rates = (old.rate_per_s, new.rate_per_s)
    if new.rate_per_s is not None:
        if reason := _lowered(old, "OLD"):
            return _unknown(old, new, f"OLD kept the objective at no rate, and {reason}")
        return ModelComparison(old.model, new.model, *rates, Verdict.NOT_WORSE, "OLD kept the objective at no rate")
    if old.rate_per_s is None:
        return _unknown(old, new, "neither kept the objective at any rate")
    if reason := _lowered(new, "NEW"):
        return _unknown(old, new, reason)
    lowest = new.lowest_tried_per_s
    if lowest is None or lowest >= old.rate_per_s * (1 - within):
        return _unknown(old, new, "NEW was not tried at a rate below that of OLD")
    return ModelComparison(
        old.model, new.model, *rates, Verdict.WORSE, f"NEW missed the objective even at {rate_text(lowest)} requests/s"
    )


def _lowered(model: ModelResult, which: str) -> str:
    """Why a rate may be lower than what the server can do."""
    if model.generator_limited:
        return f"the load generator, not the server, was the limit of {which}"
    return f"{which} was disturbed: {model.disturbed}" if model.disturbed else ""


def _counting(model: ModelResult) -> list[Point]:
    return [point for point in model.points if not point.invalid]


def _unknown(old: ModelResult, new: ModelResult, reason: str, ratio: Ratio | None = None) -> ModelComparison:
    return ModelComparison(old.model, new.model, old.rate_per_s, new.rate_per_s, Verdict.UNKNOWN, reason, ratio)


def _differences(old: Results, new: Results) -> list[str]:
    """What differs besides the server, so that the rates do not tell about it."""
    before, after = old.run, new.run
    compared = {
        "objective": (str(old.objective), str(new.objective)),
        "machine": (_machine(before.server), _machine(after.server)),
        "protocol": (before.protocol, after.protocol),
        "way": (str(before.access) or "no TLS", str(after.access) or "no TLS"),
        "proxy": (before.proxy or "none", after.proxy or "none"),
    }
    return [f"another {name}: OLD {one}, NEW {other}" for name, (one, other) in compared.items() if one != other]


def _machine(facts: ServerFacts) -> str:
    """What makes a server fast: not its kernel, nor its drivers, which may be what is compared."""
    machine = facts.machine
    if facts.machine_name or machine is None:
        return facts.machine_name or "unknown (--server-machine)"
    gpus = ", ".join(gpu.partition(",")[0] for gpu in machine.gpus)
    limit = f", at most {machine.cpu_limit:g}" if machine.cpu_limit is not None else ""
    return f"{machine.cpu}, {machine.cpu_cores} cores{limit}{gpus and f', {gpus}'}"


def _different_requests(old: Results, new: Results, pair: Pair) -> list[str]:
    """Whether both were sent like requests: rows of the same number and, of the same model, of the same size.

    Two models may well take the same request as other bytes, such as pixels of one byte or of four.
    """
    rows = [_rows(old, pair[0]), _rows(new, pair[1])]
    found = [sizes] if pair[0] == pair[1] and (sizes := _sizes(old, new, pair)) else []
    if rows[0] != rows[1]:
        found.append(f"other requests: OLD {rows[0] or 'no'} rows, NEW {rows[1] or 'no'} rows of examples")
    return found


def _rows(results: Results, model: str) -> int:
    return results.requests[model].rows if model in results.requests else 0


def _sizes(old: Results, new: Results, pair: Pair) -> str:
    """How the sizes of requests differ; empty where they do not, or are not known."""
    before, after = old.request_megabytes.get(pair[0]), new.request_megabytes.get(pair[1])
    if before is None or after is None or abs(after - before) <= _SIZE_TOLERANCE * before:
        return ""
    return f"other requests: OLD {before:.3g} MB, NEW {after:.3g} MB each"


def _notes(old: Results, new: Results, pairs: Sequence[Pair]) -> list[str]:
    notes = []
    for which, results, place in (("OLD", old, 0), ("NEW", new, 1)):
        others = [model.model for model in results.models if model.model not in [pair[place] for pair in pairs]]
        if others:
            notes.append(f"only in {which}, or not asked for: {', '.join(others)}")
        if not results.complete:
            notes.append(f"{which} was interrupted: some of its models may be missing")
    for pair in pairs:
        if pair[0] != pair[1] and (sizes := _sizes(old, new, pair)):
            notes.append(f"{pair[0]} -> {pair[1]}: {sizes}")
    if not (old.run.server.machine or old.run.server.machine_name or new.run.server.machine_name):
        notes.append("neither says what the server ran on; --server-machine does")
    if old.run.load_workers != new.run.load_workers:
        notes.append(f"load workers: OLD {old.run.load_workers}, NEW {new.run.load_workers}")
    if old.run.server.version != new.run.server.version:
        notes.append(f"servers: OLD {old.run.server.version}, NEW {new.run.server.version}")
    return notes
