"""The plots of a tuning: the path to the winner, and the response surface around it."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..capacity.configuration import Configuration
from ..plot_style import NARROW_IN, ON_COLOR, STYLE
from ..slo.numerals import rate_text
from .record import Tuning
from .text import change
from .trial import Trial, rate_of


def path_plot(tuning: Tuning, narrow: bool = False) -> Figure:
    """The rate after each single change, from the configuration as found to the winner."""
    with plt.rc_context(STYLE):
        steps = list(reversed(tuning.path))
        figure, axes = plt.subplots(figsize=(NARROW_IN - 1 if narrow else 8.2, 0.9 + 0.5 * len(steps)))
        for row, step in enumerate(steps):
            before = steps[row + 1].rate_per_s if row + 1 < len(steps) else 0.0
            axes.barh(row, step.rate_per_s, color="#2e9a6a" if row == 0 else "#2a78b5", height=0.6)
            gain = f" ({100 * (step.rate_per_s / before - 1):+.0f} %)" if before and step.rate_per_s else ""
            label = f"{rate_text(step.rate_per_s)}{gain}" if step.rate_per_s else "not met"
            axes.annotate(label, (step.rate_per_s, row), (6, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(steps)), [change(step).replace(", ", ",\n" if narrow else ", ") for step in steps])
        axes.set_xlabel("requests per second within the objective")
        axes.grid(axis="y", visible=False)
        axes.set_xlim(right=(1.6 if narrow else 1.2) * max([0.1, *(step.rate_per_s for step in steps)]))
        return figure


def surface_plot(tuning: Tuning, narrow: bool = False) -> Figure:
    """Rates over largest batch and instances, the best delay and preferred batch for each: measured or expected."""
    batches = sorted({e.configuration.batch for e in tuning.surface})
    instances = sorted({e.configuration.instances for e in tuning.surface})
    rates = np.full((len(instances), len(batches)), math.nan)
    for expectation in tuning.surface:
        cell = instances.index(expectation.configuration.instances), batches.index(expectation.configuration.batch)
        rates[cell] = np.nanmax([rates[cell], expectation.rate_per_s])
    with plt.rc_context({**STYLE, "axes.grid": False}):
        size = (max(2.4, 0.62 * len(batches)), 1.8) if narrow else (1.6 + 0.95 * len(batches), 1.2)
        figure, axes = plt.subplots(figsize=(size[0], size[1] + 0.62 * len(instances)))
        image = axes.imshow(rates, cmap="YlGnBu", origin="lower", aspect="auto", vmin=0)
        for (row, column), rate in np.ndenumerate(rates):
            trials = [
                t
                for t in tuning.trials
                if (t.configuration.instances, t.configuration.batch) == (instances[row], batches[column])
            ]
            _cell(axes, column, row, rate, trials, dark=rate > 0.6 * np.nanmax(rates))
        axes.set_xticks(range(len(batches)), [str(batch) for batch in batches])
        axes.set_yticks(range(len(instances)), [str(count) for count in instances])
        axes.set(xlabel="largest batch", ylabel="instances")
        winner = tuning.path[-1].configuration
        _frame(axes, winner, batches, instances)
        place = "bottom" if narrow else "right"
        figure.colorbar(image, label="requests per second", location=place, pad=0.2 if narrow else 0.05)
        return figure


def _cell(axes: Axes, x: int, y: int, expected: float, trials: list[Trial], dark: bool) -> None:
    """What is known of a cell: the measured rate in bold, else the expected one, and how cheaply it was left out."""
    found = [rate for c in {t.configuration for t in trials} if (rate := rate_of(c, trials)) is not None]
    refused = any(t.status == "refused" for t in trials)
    guessed = f"~{expected:.3g}" if expected < 10 else f"~{expected:.0f}"
    text = "refused" if refused else rate_text(max(found)) if found else guessed
    tried = any(t.status in ("hopeless", "worse", "unmet") for t in trials) and not found
    weight = "bold" if found else "normal"
    color = ON_COLOR[dark]
    axes.text(x, y, text + (" x" if tried else ""), ha="center", va="center", fontsize=9, color=color, weight=weight)


def _frame(axes: Axes, winner: Configuration, batches: list[int], instances: list[int]) -> None:
    x, y = batches.index(winner.batch), instances.index(winner.instances)
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="#b5413c", linewidth=2.2))
