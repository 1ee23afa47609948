"""The costs as bars, one for each variant on each machine."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..plot_style import COLORS, NARROW_IN, STYLE, name_lines
from ..results.costs import Cost
from .prices import usd_text

_LARGE_RANGE = 30


def cost_plot(found: Cost, narrow: bool = False) -> Figure:
    """US dollars for a million inferences; on a logarithmic axis where the dearest is beyond 30 times the cheapest."""
    with plt.rc_context(STYLE):
        rows = [row for row in reversed(found.rows) if row.usd_per_million is not None]
        machines = list(dict.fromkeys(row.machine for row in found.rows))
        values = [row.usd_per_million or 0.0 for row in rows]
        figure, axes = plt.subplots(figsize=(NARROW_IN - 1 if narrow else 8.2, 0.9 + 0.45 * len(rows)))
        colors = [COLORS[machines.index(row.machine) % len(COLORS)] for row in rows]
        axes.barh(range(len(rows)), values, color=colors, height=0.62)
        for number, value in enumerate(values):
            axes.annotate(f"${usd_text(value)}", (value, number), (6, 0), textcoords="offset points", va="center")
        between = "\n" if narrow else " "
        axes.set_yticks(range(len(rows)), [f"{name_lines(row.model, narrow)}{between}on {row.machine}" for row in rows])
        axes.set_xlabel("US dollars for a million inferences")
        axes.grid(axis="y", visible=False)
        if max(values) > _LARGE_RANGE * min(values):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(right=(1.6 if narrow else 1.25) * max(values))
        return figure
