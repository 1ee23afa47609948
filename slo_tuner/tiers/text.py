"""The scenarios in words and as a table: the headline, what to know before trusting it, the numbers."""

from command_line.terminal import plain_table, print_table

from ..measurement.validity import MOST_DELAY_SHARE
from ..slo.numerals import beside, rate_text
from .record import ModelRun, ScenarioResult, TieredModel, TierResults, Tiers, Window

PHASES = ("steady", "burst", "steady again")


def tiers_headline(tiers: Tiers) -> str:
    """In how many scenarios tier 1 kept its objective during the burst, with tiers and without."""
    if not tiers.scenarios:
        return "No scenario was played to its end."
    first = tiers.models[0]
    count = len(tiers.scenarios)
    kept = sum(first.keeps(scenario.tiers[0].phases[1]) for scenario in tiers.scenarios)
    control = sum(first.keeps(scenario.control[0].phases[1]) for scenario in tiers.scenarios)
    objective = first.objective
    sentence = (
        f"{first.model} keeps {objective} in {kept} of {count} bursts with tiers, in {control} of {count} without."
    )
    disturbed = [str(one.disturbance) for one in tiers.disturbed_runs]
    return sentence if not disturbed else f"{sentence} Disturbed, {len(disturbed)} of {2 * count} runs: {disturbed[0]}."


def tiers_notes(results: TierResults) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = [] if results.complete else ["The run was ended early: scenarios are missing."]
    for scenario in results.tiers.scenarios:
        for run, both in runs(scenario):
            if both[0].disturbed:
                said.append(f"{scenario.title}, {run}: disturbed: {both[0].disturbance}.")
            for model, played in zip(results.tiers.models, both, strict=True):
                allowed_ms = MOST_DELAY_SHARE * model.objective.limit_ms
                if played.send_delay_p95_ms > allowed_ms:
                    said.append(
                        f"{scenario.title}, {run}: the load generator sent requests to {model.model} late, P95 "
                        f"{played.send_delay_p95_ms:.1f} ms, {allowed_ms:.1f} ms would be allowed."
                    )
    return said


def runs(scenario: ScenarioResult) -> tuple[tuple[str, tuple[ModelRun, ModelRun]], ...]:
    """Both runs of a scenario, by what a reader calls them."""
    return ("with tiers", scenario.tiers), ("without", scenario.control)


def recovered_s(model: TieredModel, played: ModelRun) -> float | None:
    """Seconds from the end of the burst until the model keeps its objective and refuses nothing; None: not seen."""
    end_s = played.phases[1].end_s
    later = [window for window in played.windows if window.start_s >= end_s]
    bad = [window.end_s for window in later if window.refused or not model.keeps(window)]
    recovered = max(bad, default=end_s) - end_s
    return recovered if not bad or bad[-1] < later[-1].end_s else None


def phase_line(model: TieredModel, played: ModelRun) -> str:
    """The three phases of one model in one line."""
    return f"{model.model}: " + "; ".join(
        f"{rate_text(rate)}/s {model.objective.quantile_name} {_ms(model, window)} ms, "
        f"{window.refused} of {window.due} refused" + (f", {window.failed} failed" if window.failed else "")
        for rate, window in zip(played.rates_per_s, played.phases, strict=True)
    )


def print_tiers(tiers: Tiers) -> None:
    """Print every phase of every run to standard output, never narrower than the table needs."""
    names = ("scenario", "run", "model", "phase", "req/s", "ms", "late", "shed", "timed out", "failed", "kept")
    table = plain_table(tiers_headline(tiers), names, left=(*names[:4], "kept"))
    for scenario in tiers.scenarios:
        for run, both in runs(scenario):
            for model, played in zip(tiers.models, both, strict=True):
                for number, cells in enumerate(cells_of(model, played)):
                    first = number == 0
                    table.add_row(scenario.name if first else "", run if first else "", *cells)
    print_table(table)


def cells_of(model: TieredModel, played: ModelRun) -> list[tuple[str, ...]]:
    """A row for each phase: model, phase, offered rate, the quantile of its objective, how many requests ended how."""
    return [
        (
            model.model,
            phase,
            rate_text(rate),
            f"{model.objective.quantile_name} {_ms(model, window)}",
            *(f"{count}" for count in (window.late, window.shed, window.timed_out, window.failed)),
            "kept" if model.keeps(window) else "missed",
        )
        for phase, rate, window in zip(PHASES, played.rates_per_s, played.phases, strict=True)
    ]


def _ms(model: TieredModel, window: Window) -> str:
    return "–" if window.quantile_ms is None else beside(window.quantile_ms, model.objective.limit_ms, 0)  # noqa: RUF001
