"""The plots of sweeps: latency and throughput over the requests in flight, and what a target adds."""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot_style import COLORS, STYLE
from .compare import Level, Spread, levels
from .record import SweepRecord


def curves_plot(record: SweepRecord) -> Figure:
    """P50 and P95 on the left, throughput on the right; whiskers from the lowest to the highest round."""
    found = levels(record)
    with plt.rc_context(STYLE):
        figure, (latency, rate) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
        for number, target in enumerate(record.targets):
            own = [level for level in found if level.target == target.name]
            color = COLORS[1 + number % (len(COLORS) - 1)]
            _curve(latency, own, [level.p50_ms.value for level in own], color, f"{target.name}, P50", "-")
            _curve(latency, own, [level.p95_ms.value for level in own], color, f"{target.name}, P95", "--")
            _curve(rate, own, [level.rate_per_s.value for level in own], color, target.name, "-")
        latency.set(yscale="log", ylabel="latency, ms")
        latency.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        latency.yaxis.set_major_formatter("{x:g}")
        latency.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        rate.set(ylabel="requests per second")
        rate.set_ylim(bottom=0)
        for axes in (latency, rate):
            _in_flight_axis(axes, found)
            axes.legend(frameon=False)
        return figure


def added_plot(record: SweepRecord) -> Figure:
    """What the other targets add to the P50 and the P95 of the first, in percent of them."""
    found = levels(record)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8.2, 3.2))
        for number, target in enumerate(record.targets[1:], start=1):
            own = [level for level in found if level.target == target.name]
            color = COLORS[1 + number % (len(COLORS) - 1)]
            p50 = [level.p50_ms.added_share for level in own if level.p50_ms.added_share]
            p95 = [level.p95_ms.added_share for level in own if level.p95_ms.added_share]
            _curve(axes, own, p50, color, f"{target.name}, P50", "-")
            _curve(axes, own, p95, color, f"{target.name}, P95", "--")
        axes.axhline(0, color="#222", linewidth=0.8)
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
        axes.set(ylabel=f"more than through {record.targets[0].name}")
        _in_flight_axis(axes, found)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        return figure


def _curve(axes: Axes, own: Sequence[Level], spreads: Sequence[Spread], color: str, label: str, line: str) -> None:
    middle = [spread.median for spread in spreads]
    below = [spread.median - spread.lowest for spread in spreads]
    above = [spread.highest - spread.median for spread in spreads]
    axes.errorbar(
        [level.concurrency for level in own],
        middle,
        yerr=[below, above],
        fmt=f"o{line}",
        color=color,
        markerfacecolor=color if line == "-" else "white",
        markersize=4,
        linewidth=1.2,
        capsize=2.5,
        label=label,
    )


def _in_flight_axis(axes: Axes, found: Sequence[Level]) -> None:
    """Powers of two, each named."""
    counts = sorted({level.concurrency for level in found})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("requests in flight")
