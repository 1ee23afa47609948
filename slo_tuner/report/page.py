"""The report: one self-contained HTML page from results.json alone."""

from functools import partial
from pathlib import Path

import jinja2

from command_line.errors import ResultsError
from command_line.files import write_whole

from ..cost.cost import bound, cheapest, spared
from ..cost.plots import cost_plot
from ..cost.prices import usd_text
from ..fleet.plots import burst_plot, frontier_plot, headroom_plot, least_shown, trace_plot
from ..fleet.record import FleetRecord, FleetResults
from ..fleet.text import PROMISES, count, fleet_headline, fleet_notes, print_fleet
from ..ladder.plots import has_latencies, ladder_plot, latency_plot, stages_plot, sweep_plot
from ..ladder.sequence_plot import has_lengths, sequence_plot
from ..ladder.table import baseline, failures, print_table, times
from ..plot_style import in_page, page_colors
from ..results.costs import Cost
from ..results.schema import Point, Results
from ..slo.numerals import beside, percent, rate_text
from ..sweep.compare import levels
from ..sweep.plots import added_plot, curves_plot
from ..sweep.record import SweepRecord, SweepResults
from ..sweep.text import peaks, print_sweep, range_text, sweep_headline, sweep_notes
from ..tiers.plots import scenario_plot
from ..tiers.record import TierResults, Tiers
from ..tiers.text import cells_of, print_tiers, recovered_s, runs, tiers_headline, tiers_notes
from ..tuning.plots import path_plot, surface_plot
from ..tuning.record import TuningResults
from ..tuning.text import change, tuning_notes
from .predictions import Predictions
from .quiet import disturbed_notes, disturbed_sentence, machine_sentence


def print_results(results: Results) -> None:
    """Print the table of the results to standard output."""
    if isinstance(results, TierResults):
        print_tiers(results.tiers)
    elif isinstance(results, SweepResults):
        print_sweep(results.sweep)
    elif isinstance(results, FleetResults):
        print_fleet(results.fleet)
    else:
        print_table(results)


def write_report(results: Results, path: Path, predictions: Predictions | None = None) -> None:
    """Write the report; a reader never sees half of it. ResultsError when it can't be written."""
    html = render_report(results, predictions)
    try:
        write_whole(path, html)
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}") from None


def render_report(results: Results, predictions: Predictions | None = None) -> str:
    """The page as HTML; with `predictions`, what the variants see in pictures stands beside their rates."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("slo_tuner.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_signs"] = lambda text: text.replace(">=", "≥").replace("<=", "≤")
    # What only one kind of results has; the page tells by it which kind it shows.
    found: dict[str, object] = {"tiers": None, "record": None, "fleet": None}
    if isinstance(results, TierResults):
        found |= {"headline": tiers_headline(results.tiers), "notes": tiers_notes(results), **_tiers(results.tiers)}
    elif isinstance(results, SweepResults):
        found |= {
            "headline": sweep_headline(results.sweep),
            "notes": sweep_notes(results),
            **_swept(results.sweep),
        }
    elif isinstance(results, FleetResults):
        fleet = results.fleet
        found |= {"headline": fleet_headline(fleet), "notes": fleet_notes(fleet), **_fleet(fleet)}
    else:
        found |= {"headline": headline(results), "notes": notes(results), **_ladder(results)}
    objective = results.objective
    predicted = list(predictions.columns(results)) if predictions is not None else []
    seen: dict[str, object] = {"predictions": predictions if predicted else None, "predicted": predicted}
    seen |= {"beside": beside, "percent": percent, "rate_text": rate_text, "usd_text": usd_text}
    if predictions is not None:
        seen["picture_index"] = predictions.images.index
    return environment.get_template("report.html.j2").render(
        results=results, objective=objective, machine=machine_sentence(results), colors=page_colors, **found, **seen
    )


def _ladder(results: Results) -> dict[str, object]:
    """What the page shows of models and their rates."""
    with_sweep = any(model.sweep for model in results.models)
    with_stages = any(point.server for model in results.models for point in model.confirmations)
    return {
        "own_quantile": results.objective.quantile not in (0.5, 0.95, 0.99),
        "base": baseline(results),
        "times": times,
        "asked": results.models[0].asked if results.models else None,
        "repeated": max((len(model.confirmations) for model in results.models), default=0) or 3,
        "ladder": in_page(partial(ladder_plot, results)) if results.models else "",
        "latency": in_page(partial(latency_plot, results)) if has_latencies(results) else "",
        "sweep": in_page(partial(sweep_plot, results)) if with_sweep else "",
        "stages": in_page(partial(stages_plot, results)) if with_stages else "",
        "lengths": in_page(partial(sequence_plot, results)) if has_lengths(results) else "",
        **_cost(results.cost),
        **_tuning(results),
    }


def _tiers(tiers: Tiers) -> dict[str, object]:
    """What the page shows of models of different tiers under bursts."""
    scenarios = [(scenario, in_page(partial(scenario_plot, tiers, scenario))) for scenario in tiers.scenarios]
    words = {"runs": runs, "cells_of": cells_of, "recovered_s": recovered_s}
    return {"tiers": tiers, "scenarios": scenarios, **words}


def _swept(record: SweepRecord) -> dict[str, object]:
    """What the page shows of sweeps over several targets; without a second one nothing is added to the first."""
    measured = bool(levels(record))
    added = in_page(partial(added_plot, record)) if any(level.p50_ms.added_share for level in levels(record)) else ""
    words = {"levels": levels, "peaks": peaks, "range_text": range_text}
    return {
        "record": record,
        "curves": in_page(partial(curves_plot, record)) if measured else "",
        "added": added,
        **words,
    }


def _fleet(fleet: FleetRecord) -> dict[str, object]:
    """What the page shows of a fleet: its choices over the trace, one burst, the frontier and the headroom."""
    return {
        "fleet": fleet,
        "promises": PROMISES,
        "least_shown": least_shown(fleet),
        "count": count,
        "over_time": in_page(partial(trace_plot, fleet)),
        "burst": in_page(partial(burst_plot, fleet, fleet.choice("balanced"))),
        "frontier": in_page(partial(frontier_plot, fleet)),
        "headroom": in_page(partial(headroom_plot, fleet)) if fleet.headroom else "",
    }


def _cost(cost: Cost | None) -> dict[str, object]:
    """What the page shows of costs, where they were asked for; no plot where no variant kept the objective."""
    plot = in_page(partial(cost_plot, cost)) if cost is not None and cheapest(cost) else ""
    return {"cost": cost, "cost_plot": plot, "spared": spared, "bound": bound}


def _tuning(results: Results) -> dict[str, object]:
    """What the page shows of a tuning; without one, only that there is none."""
    if not isinstance(results, TuningResults):
        return {"tuning": None}
    tuning = results.tuning
    found: dict[str, object] = {"tuning": tuning, "change": change, "path": "", "surface": ""}
    if tuning.path:
        found["path"] = in_page(partial(path_plot, tuning))
        found["surface"] = in_page(partial(surface_plot, tuning)) if tuning.surface else ""
    return found


def headline(results: Results) -> str:
    """The result in one sentence."""
    objective = results.objective
    met = [m for m in results.models if m.rate_per_s]
    if not met:
        return _without_a_rate(results)
    best = max(met, key=lambda m: m.rate_per_s or 0.0)
    assert best.rate_per_s
    base = baseline(results)
    if best.asked is not None:
        return f"{best.model} keeps {objective} {_asked(best.asked)}.{disturbed_sentence(best)}"
    more = " or more" if best.generator_limited else ""
    sentence = f"{best.model} keeps {objective} up to {rate_text(best.rate_per_s)} requests per second{more}"
    ratio = times(best, base, 1) if base is not None and base is not best else ""
    if base is not None and base.rate_per_s and ratio not in ("", "not known"):
        said = ratio.replace(">=", "at least").replace("<=", "at most")
        sentence += f", {said} times what {base.model} keeps ({rate_text(base.rate_per_s)})"
    return f"{sentence}.{disturbed_sentence(best, base)}"


def _asked(point: Point) -> str:
    """Where the objective was kept or missed, where one rate or a trace was asked for."""
    if point.purpose == "single":
        return f"at {rate_text(point.rate_per_s)} requests per second, the one rate that was asked for"
    return (
        f"over the trace: {point.requests} requests in {point.duration_s:.0f} s, "
        f"{rate_text(point.rate_per_s)} a second on average"
    )


def _without_a_rate(results: Results) -> str:
    """What can be said where no model has a rate: not measured, not known, or missed."""
    objective, measured = results.objective, [model for model in results.models if not model.failure]
    if not measured:
        return "No model could be measured."
    if all(model.generator_limited for model in measured):
        return f"Whether {objective} is kept is not known: the load generator lagged."
    if len(measured) == 1 and (asked := measured[0].asked) is not None:
        return f"{measured[0].model} misses {objective} {_asked(asked)}.{disturbed_sentence(*measured)}"
    return f"No model keeps {objective} at any measured rate.{disturbed_sentence(*measured)}"


def notes(results: Results) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = [] if results.complete else ["The run was ended early: models are missing."]
    said += failures(results)
    random = sorted({str(m.manifest["weights"]) for m in results.models if m.manifest.get("pretrained") is False})
    if random:
        said.append(
            f"Weights: {', '.join(random)}. Speed is that of the real network; the predicted classes mean nothing."
        )
    for model in results.models:
        if model.generator_limited and model.rate_per_s is None:
            said.append(f"{model.model}: the load generator lagged, so what the server keeps is not known.")
        elif model.generator_limited:
            said.append(
                f"{model.model}: the load generator, not the server, set the limit; the true rate may be higher."
            )
        invalid = sum(bool(point.invalid_reason) for point in model.points)
        if invalid:
            said.append(f"{model.model}: {invalid} point(s) were invalid because the load generator lagged.")
        if model.server_config.get("response_cache", {}).get("enable"):
            said.append(
                f"{model.model}: its response cache is on, and the rows of a sample are sent in turn: where the server "
                "has a cache, the rate is that of hits, not of the model. Measure without it."
            )
    said += disturbed_notes(results)
    return said + (tuning_notes(results) if isinstance(results, TuningResults) else [])
