"""The report's plots, as SVG text, from results alone."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot_style import COLORS, INK, NARROW_IN, STYLE, legend_name, logarithmic, name_lines, names_beside
from ..results.schema import ModelResult, Point, Results
from ..slo.numerals import rate_text
from .table import baseline, times

_STAGES = (
    ("waiting in the queue", "queue_ms", "#c9ced4"),
    ("input", "compute_input_ms", "#8fb8de"),
    ("model", "compute_infer_ms", "#2a78b5"),
    ("output", "compute_output_ms", "#8a55b0"),
)


def ladder_plot(results: Results, narrow: bool = False) -> Figure:
    """Bars of the highest rate within the objective; the error bar ends at the lowest rate above it that was missed."""
    with plt.rc_context(STYLE):
        models = list(reversed(results.models))
        figure, axes = plt.subplots(figsize=(NARROW_IN - 1 if narrow else 6.6, 0.9 + 0.5 * len(models)))
        base = baseline(results)
        for row, model in enumerate(models):
            rate = model.rate_per_s or 0.0
            missed = max((model.missed_per_s or rate) - rate, 0.0) if rate else 0.0
            error = [[0.0], [missed]] if missed else None
            axes.barh(row, rate, color=_color(results, model), height=0.62, xerr=error, ecolor=INK, capsize=3)
            axes.annotate(
                _bar_label(model, base), (rate + missed, row), (6, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(models)), [name_lines(model.model, narrow) for model in models])
        between = "\n" if narrow else " "
        axes.set_xlabel(f"requests per second{between}within {results.objective}")
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, (1.8 if narrow else 1.45) * max([m.rate_per_s or 0.0 for m in models] + [0.1]))
        return figure


def _bar_label(model: ModelResult, base: ModelResult | None) -> str:
    if model.rate_per_s is None:
        return model.unmet
    ratio = times(model, base) if base else ""
    return f"{'>= ' if model.generator_limited else ''}{rate_text(model.rate_per_s)}{ratio and f' ({ratio} x)'}"


def latency_plot(results: Results, narrow: bool = False) -> Figure:
    """The objective's quantile against the offered rate, with the limit: every point, filled where it was kept."""
    objective = results.objective
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 4.2))
        for model in results.models:
            points, color = _plotted(model), _color(results, model)
            axes.plot(*_columns(points), color=color, linewidth=0.8, alpha=0.5)
            for kept in (True, False):
                _scatter(axes, [p for p in points if p.kept == kept], color, filled=kept)
            axes.plot([], [], "o", color=color, label=legend_name(model.model))
        axes.axhline(objective.limit_ms, color="#b5413c", linestyle="--", linewidth=1.2)
        axes.annotate(
            f"limit {objective.limit_ms:g} ms",
            (1, objective.limit_ms),
            (-4, 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color="#b5413c",
        )
        axes.set(xlabel="offered requests per second", ylabel=f"{objective.quantile_name} latency, ms")
        logarithmic(axes.xaxis, axes.yaxis)
        names_beside(axes, narrow)
        return figure


def has_latencies(results: Results) -> bool:
    """Whether any point tells a latency at a rate: one that is valid, with a request that was answered."""
    return any(_plotted(model) for model in results.models)


def _plotted(model: ModelResult) -> list[Point]:
    """The points that stand for the server and have a latency, by their rates."""
    told = [p for p in model.points if not p.invalid and p.objective_quantile_ms is not None]
    return sorted(told, key=lambda point: point.rate_per_s)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [p.rate_per_s for p in points], [p.objective_quantile_ms or 0.0 for p in points]


def _scatter(axes: Axes, points: Sequence[Point], color: str, filled: bool) -> None:
    axes.scatter(
        *_columns(points),
        s=26,
        facecolors=color if filled else "white",
        edgecolors=color,
        zorder=3,
    )


def sweep_plot(results: Results, narrow: bool = False) -> Figure:
    """Closed-loop P95 against throughput, a label for each number of requests in flight."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 4.2))
        for model in results.models:
            rates, latencies = [p.rate_per_s for p in model.sweep], [p.latency.p95_ms for p in model.sweep]
            axes.plot(
                rates, latencies, "o-", color=_color(results, model), markersize=4, label=legend_name(model.model)
            )
            for point in model.sweep:
                axes.annotate(
                    str(point.concurrency),
                    (point.rate_per_s, point.latency.p95_ms),
                    (4, -9),
                    textcoords="offset points",
                    fontsize=8,
                    color="#555555",
                )
        axes.set(xlabel="requests per second, closed loop", ylabel="P95 latency, ms")
        logarithmic(axes.xaxis, axes.yaxis)
        names_beside(axes, narrow)
        return figure


def stages_plot(results: Results, narrow: bool = False) -> Figure:
    """Where a request spends its time in the server at the rate that was found."""
    with plt.rc_context(STYLE):
        models = [m for m in reversed(results.models) if any(p.server for p in m.confirmations)]
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 1.1 + 0.5 * len(models)))
        for row, model in enumerate(models):
            servers = [p.server for p in model.confirmations if p.server]
            left = 0.0
            for name, stage, color in _STAGES:
                value = sum(getattr(s, stage) for s in servers) / len(servers)
                axes.barh(row, value, left=left, color=color, height=0.6, label=name if row == 0 else None)
                left += value
            batch = sum(s.batch_size for s in servers) / len(servers)
            axes.annotate(
                f"{left:.1f} ms, batch {batch:.2f}", (left, row), (6, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(models)), [name_lines(model.model, narrow) for model in models])
        axes.set_xlabel("mean time of a request in the server, ms")
        axes.grid(axis="y", visible=False)
        axes.set_xlim(right=axes.get_xlim()[1] * (1.6 if narrow else 1.2))
        axes.legend(frameon=False, ncols=2 if narrow else 4, loc="lower left", bbox_to_anchor=(0, 1))
        return figure


def _color(results: Results, model: ModelResult) -> str:
    return COLORS[[m.model for m in results.models].index(model.model) % len(COLORS)]
