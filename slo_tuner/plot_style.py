"""How plots look: colours, style, and a figure as SVG text that can stand inside a page."""

import io

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
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
}


def svg(figure: Figure) -> str:
    """The figure as SVG that can stand inside HTML."""
    text = io.StringIO()
    with plt.rc_context(STYLE):  # the salt makes the ids, and so the page, the same every time
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]
