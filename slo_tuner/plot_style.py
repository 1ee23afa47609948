"""How plots look: colours, style, and a figure as SVG that can stand inside a page of any width, light or dark."""

import io
import math
import re
import textwrap
from collections.abc import Callable

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

COLORS = ("#5b6b7a", "#2a78b5", "#2e9a6a", "#c8791a", "#8a55b0", "#b5413c", "#3aa6a6", "#7a6a2a")
INK = "#1d2329"
"""Lines and words that have no colour of their own."""
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
    # A factor in the corner of an axis is overlooked: 1.2 would be read where 1,200,000 is meant.
    "axes.formatter.limits": (-5, 10),
    "axes.formatter.useoffset": False,
}
NARROW_IN = 4.2
"""The width in inches of a plot for a telephone: words of 10 points are read on 400 pixels."""
_DARK = {
    "#5b6b7a": "#9fb0bf",
    "#2a78b5": "#5fade8",
    "#2e9a6a": "#4fc38c",
    "#c8791a": "#e6a04d",
    "#8a55b0": "#bb90e0",
    "#b5413c": "#ec7d76",
    "#3aa6a6": "#5ccaca",
    "#7a6a2a": "#c2ae5e",
    "#000000": "#e3e8ec",
    INK: "#e3e8ec",
    "#555555": "#a3adb7",
    "#e6e9ec": "#333b43",
    "#f2f4f6": "#272e36",
    "#c9d0d6": "#59636d",
    "#ffffff": "#14191e",
}
"""What each colour of a light page becomes on a dark one."""
ON_COLOR = {True: "#fefefe", False: "#1d232a"}
"""Words on a coloured ground, a dark one or not: no colours of `_DARK`, so that they stay as their ground does."""
# So wide is a decade in which three numbers stand side by side; one above the other they need half of it.
_DECADE_IN = 0.9


def name_lines(name: str, narrow: bool = False) -> str:
    """A name beside a plot, in as many lines as leave the plot its room; what is beyond three of them is left out."""
    width = 16 if narrow else 40
    return "\n".join(textwrap.wrap(name, width, max_lines=3, placeholder="…")) or name


def legend_name(name: str) -> str:
    """A name for a legend, which leaves out those that begin with an underscore: an empty character goes first."""
    return f"\u200b{name_lines(name)}" if name.startswith("_") else name_lines(name)


def names_beside(axes: Axes, narrow: bool) -> None:
    """The legend right of the axes; above them, where the page is narrow."""
    if narrow:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    else:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def logarithmic(*axes: Axis) -> None:
    """Make axes logarithmic, with numbers (20, 50, 100; where room is scarce 10, 100) in place of powers of ten.

    Call it when all is drawn. An axis without a value above 0 stays linear: a logarithmic one could show nothing.
    """
    for axis in axes:
        if not math.isfinite(axis.get_minpos()):
            continue
        plot = axis.axes
        plot.set(xscale="log") if axis is plot.xaxis else plot.set(yscale="log")
        low, high = axis.get_view_interval()
        across = axis is plot.xaxis
        inches = (plot.bbox.width if across else plot.bbox.height) / plot.figure.dpi
        room = inches / max(1.0, math.log10(high / low))
        subs = (1, 2, 5) if room >= (_DECADE_IN if across else _DECADE_IN / 2) else (1,)
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=subs))
        axis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:.12g}"))
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def svg(figure: Figure) -> str:
    """The figure as SVG that can stand inside HTML."""
    text = io.StringIO()
    with plt.rc_context(STYLE):  # the salt makes the ids, and so the page, the same every time
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]


def in_page(plot: Callable[[bool], Figure]) -> str:
    """A plot for a page: `plot` draws it wide and, given True, narrow; the page shows what fits, in its own colours."""
    drawn = {name: _themed(svg(plot(narrow))) for name, narrow in (("wide", False), ("narrow", True))}
    return "".join(f'<div class="{name}">{text}</div>' for name, text in drawn.items())


def page_colors(dark: bool) -> str:
    """The declarations of the colours of plots, for the style sheet of a page."""
    return " ".join(f"{_name(light)}: {other if dark else light};" for light, other in _DARK.items())


def _name(color: str) -> str:
    return f"--plot-{color.removeprefix('#')}"


def _themed(text: str) -> str:
    """SVG whose colours are those of the page around it."""

    def replaced(found: re.Match[str]) -> str:
        color = found[2].lower()
        return f"{found[1]}: var({_name(color)})" if color in _DARK else found[0]

    return re.sub(r"\b(fill|stroke): (#[0-9a-fA-F]{6})", replaced, text)
