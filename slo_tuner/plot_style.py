"""How plots look: colours, style, and a figure as SVG text that can stand inside a page."""

import io
import math

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure

COLORS = ("#5b6b7a", "#2a78b5", "#2e9a6a", "#c8791a", "#8a55b0", "#b5413c", "#3aa6a6", "#7a6a2a")
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ec",
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "slo-tuner",
    "font.family": ["sans-serif"],
    # Names of models are no formulas, whatever dollars they have.
    "text.parse_math": False,
}


def logarithmic(*axes: Axis) -> None:
    """Make axes logarithmic, with numbers (20, 50, 100) in place of powers of ten.

    Call it when all is drawn. An axis without a value above 0 stays linear: a logarithmic one could show nothing.
    """
    for axis in axes:
        if not math.isfinite(axis.get_minpos()):
            continue
        plot = axis.axes
        plot.set(xscale="log") if axis is plot.xaxis else plot.set(yscale="log")
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def svg(figure: Figure) -> str:
    """The figure as SVG that can stand inside HTML."""
    text = io.StringIO()
    with plt.rc_context(STYLE):  # the salt makes the ids, and so the page, the same every time
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]
