"""The plot of a scenario: latency over time of both models, and what became of tier 2's requests."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot_style import NARROW_IN, STYLE, legend_name, logarithmic, names_beside
from .record import ModelRun, ScenarioResult, TieredModel, Tiers
from .text import runs

TIER_COLORS = ("#2a78b5", "#c8791a")
_OUTCOMES = (
    ("answered", "answered", "#e9c9a0"),
    ("refused, queue full", "shed", "#8a55b0"),
    ("refused after its time-out", "timed_out", "#b9a0d0"),
    ("failed", "failed", "#b5413c"),
)


def scenario_plot(tiers: Tiers, scenario: ScenarioResult, narrow: bool = False) -> Figure:
    """Left with tiers, right without: above each model's quantile by window, below tier 2's requests per second.

    Where it is narrow, both runs stand below one another.
    """
    with plt.rc_context(STYLE):
        latencies, requested, figure = _panels(narrow)
        for (run, both), latency, requests in zip(runs(scenario), latencies, requested, strict=True):
            for model, played, color in zip(tiers.models, both, TIER_COLORS, strict=True):
                _latency(latency, model, played, color)
            _requests(requests, both[1])
            for one in (latency, requests):
                one.axvspan(tiers.phase_s, 2 * tiers.phase_s, color="#f2f4f6", zorder=0)
            latency.set_title(run, loc="left", fontsize=11)
            requests.set_xlabel("seconds")
        _label(latencies, requested, tiers.models, narrow)
        return figure


def _panels(narrow: bool) -> tuple[list[Axes], list[Axes], Figure]:
    """For each run a panel of latencies, and one of requests."""
    if not narrow:
        figure, axes = plt.subplots(
            2, 2, figsize=(9.6, 5.2), sharex=True, sharey="row", height_ratios=(3, 2), layout="constrained"
        )
        return list(axes[0]), list(axes[1]), figure
    figure, rows = plt.subplots(
        4, 1, figsize=(NARROW_IN, 9.6), sharex=True, height_ratios=(3, 2, 3, 2), layout="constrained"
    )
    for first, second in ((0, 2), (1, 3)):
        rows[second].sharey(rows[first])
    return list(rows[::2]), list(rows[1::2]), figure


def _latency(axes: Axes, model: TieredModel, played: ModelRun, color: str) -> None:
    objective = model.objective
    windows = played.windows
    known = [((w.start_s + w.end_s) / 2, w.quantile_ms) for w in windows if w.quantile_ms is not None]
    label = legend_name(f"{model.model} (tier {model.tier})")
    axes.plot([at for at, _ in known], [value for _, value in known], "o-", color=color, markersize=3.5, label=label)
    axes.axhline(objective.limit_ms, color=color, linestyle="--", linewidth=1.1)


def _requests(axes: Axes, played: ModelRun) -> None:
    starts = [window.start_s for window in played.windows]
    width = played.windows[0].end_s - played.windows[0].start_s
    bottom = [0.0] * len(starts)
    for label, field, color in _OUTCOMES:
        rates = [getattr(window, field) / width for window in played.windows]
        axes.bar(starts, rates, width, bottom=bottom, align="edge", color=color, label=label)
        bottom = [below + rate for below, rate in zip(bottom, rates, strict=True)]


def _label(latencies: Sequence[Axes], requested: Sequence[Axes], models: Sequence[TieredModel], narrow: bool) -> None:
    latency, requests = latencies[0], requested[0]
    latency.set(ylabel=f"{models[0].objective.quantile_name} latency, ms")
    logarithmic(latency.yaxis)
    requests.set_ylabel(f"{models[1].model}, requests/s")
    if narrow:
        for names, place in ((latencies[0], 1.12), (requested[0], 1.0)):
            names.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, place), ncols=2, fontsize=8.5)
    else:
        names_beside(latencies[1], narrow)
        names_beside(requested[1], narrow)
