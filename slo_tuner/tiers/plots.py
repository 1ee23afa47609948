"""The plot of a scenario: latency over time of both models, and what became of tier 2's requests."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot_style import STYLE, logarithmic
from .record import ModelRun, ScenarioResult, TieredModel, Tiers
from .text import runs

TIER_COLORS = ("#2a78b5", "#c8791a")
_OUTCOMES = (
    ("answered", "answered", "#e9c9a0"),
    ("refused, queue full", "shed", "#8a55b0"),
    ("refused after its time-out", "timed_out", "#b9a0d0"),
    ("failed", "failed", "#b5413c"),
)


def scenario_plot(tiers: Tiers, scenario: ScenarioResult) -> Figure:
    """Left with tiers, right without: above each model's quantile by window, below tier 2's requests per second."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 2, figsize=(9.6, 5.2), sharex=True, sharey="row", height_ratios=(3, 2), layout="constrained"
        )
        for column, (run, both) in enumerate(runs(scenario)):
            latency, requests = axes[0][column], axes[1][column]
            for model, played, color in zip(tiers.models, both, TIER_COLORS, strict=True):
                _latency(latency, model, played, color)
            _requests(requests, both[1])
            for one in (latency, requests):
                one.axvspan(tiers.phase_s, 2 * tiers.phase_s, color="#f2f4f6", zorder=0)
            latency.set_title(run, loc="left", fontsize=11)
            requests.set_xlabel("seconds")
        _label(axes, tiers.models)
        return figure


def _latency(axes: Axes, model: TieredModel, played: ModelRun, color: str) -> None:
    objective = model.objective
    windows = played.windows
    known = [((w.start_s + w.end_s) / 2, w.quantile_ms) for w in windows if w.quantile_ms is not None]
    label = f"{model.model} (tier {model.tier})"
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


def _label(axes: Sequence[Sequence[Axes]], models: Sequence[TieredModel]) -> None:
    latency, requests = axes[0][0], axes[1][0]
    quantile = models[0].objective.quantile * 100
    latency.set(ylabel=f"P{quantile:g} latency, ms")
    logarithmic(latency.yaxis)
    requests.set_ylabel(f"{models[1].model}, requests/s")
    axes[0][1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes[1][1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
