"""The plots of sweeps: latency and throughput over the requests in flight, and what a target adds."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot_style import COLORS, INK, NARROW_IN, STYLE, legend_name, logarithmic, names_beside
from .compare import Level, Spread, levels
from .record import SweepRecord


def curves_plot(record: SweepRecord, narrow: bool = False) -> Figure:
    """P50 and P95, and beside or below them the throughput; whiskers from the lowest to the highest round."""
    found = levels(record)
    with plt.rc_context(STYLE):
        rows, size = ((2, 1), (NARROW_IN, 7.0)) if narrow else ((1, 2), (9.6, 3.9))
        figure, (latency, rate) = plt.subplots(*rows, figsize=size, layout="constrained")
        for number, target in enumerate(record.targets):
            own = [level for level in found if level.target == target.name]
            color = COLORS[1 + number % (len(COLORS) - 1)]
            _curve(latency, _values(own, "p50_ms"), color, f"{target.name}, P50")
            _curve(latency, _values(own, "p95_ms"), color, f"{target.name}, P95", dashed=True)
            _curve(rate, _values(own, "rate_per_s"), color, target.name)
        latency.set(ylabel="latency, ms")
        logarithmic(latency.yaxis)
        rate.set(ylabel="requests per second")
        rate.set_ylim(bottom=0)
        for axes in (latency, rate):
            _in_flight_axis(axes, found)
            axes.legend(frameon=False)
        return figure


def added_plot(record: SweepRecord, narrow: bool = False) -> Figure:
    """What the other targets add to the P50 and the P95 of the first, in percent of them."""
    found = levels(record)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 3.2))
        for number, target in enumerate(record.targets[1:], start=1):
            own = [level for level in found if level.target == target.name]
            color = COLORS[1 + number % (len(COLORS) - 1)]
            _curve(axes, _added_shares(own, "p50_ms"), color, f"{target.name}, P50")
            _curve(axes, _added_shares(own, "p95_ms"), color, f"{target.name}, P95", dashed=True)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
        axes.set(ylabel=f"more than through {record.targets[0].name}")
        _in_flight_axis(axes, found)
        names_beside(axes, narrow)
        return figure


def _values(own: Sequence[Level], quantity: str) -> dict[int, Spread]:
    """A quantity by the number in flight."""
    return {level.concurrency: getattr(level, quantity).value for level in own}


def _added_shares(own: Sequence[Level], quantity: str) -> dict[int, Spread]:
    """What a target adds, where that is known."""
    shares = {level.concurrency: getattr(level, quantity).added_share for level in own}
    return {concurrency: share for concurrency, share in shares.items() if share is not None}


def _curve(axes: Axes, found: Mapping[int, Spread], color: str, label: str, dashed: bool = False) -> None:
    spreads = found.values()
    middle = [spread.median for spread in spreads]
    below = [spread.median - spread.lowest for spread in spreads]
    above = [spread.highest - spread.median for spread in spreads]
    axes.errorbar(
        list(found),
        middle,
        yerr=[below, above],
        fmt="o--" if dashed else "o-",
        color=color,
        markerfacecolor="white" if dashed else color,
        markersize=4,
        linewidth=1.2,
        capsize=2.5,
        label=legend_name(label),
    )


def _in_flight_axis(axes: Axes, found: Sequence[Level]) -> None:
    """Powers of two, each named; an empty axis where nothing was drawn."""
    counts = sorted({level.concurrency for level in found})
    if math.isfinite(axes.xaxis.get_minpos()):
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("requests in flight")
