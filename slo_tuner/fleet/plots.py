"""The plots of a fleet: the trace and its Pods, what a burst does, the frontier, and the headroom."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..capacity.queue_model import Floats
from ..plot_style import COLORS, INK, NARROW_IN, STYLE, logarithmic
from .record import Choice, FleetRecord, Series

_CHOICES = {"thrifty": COLORS[3], "balanced": COLORS[1], "safe": COLORS[2], "fixed": COLORS[0]}
_LEAST_SHARE = 1e-4
_LATE = "#b5413c"


def trace_plot(fleet: FleetRecord, narrow: bool = False) -> Figure:
    """What is asked, Pods, lateness and dollars an hour over the whole trace, for each choice."""
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(4, 1, figsize=(NARROW_IN if narrow else 9.6, 8.6), sharex=True)
        rates, pods, late, usd = panels
        first = fleet.choices[0].series
        rates.plot(_hours(first), first.rates_per_s, color=INK, linewidth=1.0)
        rates.set_ylabel("requests/s")
        rates.set_ylim(bottom=0)
        for choice in fleet.choices:
            line = {"color": _CHOICES[choice.name], "linewidth": 1.2, "label": choice.name}
            pods.step(_hours(choice.series), choice.series.pods, where="post", **line)
            late.plot(_hours(choice.series), _shown(fleet, choice.series.late_shares), **line)
            usd.step(_hours(choice.series), choice.series.usd_per_hour, where="post", **line)
        pods.set_ylabel("Pods that serve")
        pods.set_ylim(bottom=0)
        # Above the panel: within it lines run through the names.
        pods.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2 if narrow else 4, frameon=False, borderaxespad=0)
        late.set_ylabel("late, %")
        logarithmic(late.yaxis)
        late.axhline(100 * fleet.allowed_share, color=_LATE, linewidth=0.9, linestyle="--", label="allowed")
        usd.set(ylabel="$ an hour", xlabel="hours")
        usd.set_ylim(bottom=0)
        figure.tight_layout()
        return figure


def burst_plot(fleet: FleetRecord, choice: Choice, narrow: bool = False) -> Figure:
    """The steepest rise: what is asked against what the Pods that are there can serve, and who is late meanwhile."""
    with plt.rc_context(STYLE):
        figure, (load, late) = plt.subplots(
            2, 1, figsize=(NARROW_IN if narrow else 9.6, 4.8), sharex=True, height_ratios=(2, 1)
        )
        minutes = (np.arange(len(choice.burst.pods)) * choice.burst.step_s) / 60
        served = np.array(choice.burst.pods) * fleet.capacity_per_s
        load.plot(minutes, choice.burst.rates_per_s, color=INK, label="asked")
        load.step(minutes, served, where="post", color=_CHOICES[choice.name], label="Pods can serve")
        load.fill_between(
            minutes, served, choice.burst.rates_per_s, where=served < np.array(choice.burst.rates_per_s), color=_LATE,
            alpha=0.2, step="post",
        )  # fmt: skip
        load.set_ylabel("requests/s")
        load.set_ylim(bottom=0)
        load.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0)
        late.fill_between(minutes, 100 * np.array(choice.burst.late_shares), color=_LATE, step="post", alpha=0.7)
        late.set(ylabel="late, %", xlabel="minutes")
        late.set_ylim(0, max(2.0, 105 * max(choice.burst.late_shares)))
        figure.tight_layout()
        return figure


def frontier_plot(fleet: FleetRecord, narrow: bool = False) -> Figure:
    """Dollars against lateness in the worst ten minutes: all that was tried, and the choices."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 4.4))
        for exact, color, label in ((False, "#c9d0d6", "simulated roughly"), (True, "#5b6b7a", "simulated exactly")):
            some = [one for one in fleet.frontier if one.exact is exact]
            axes.scatter(
                [one.usd for one in some],
                _shown(fleet, [one.worst_share for one in some]),
                s=16,
                color=color,
                label=label,
            )
        for choice in fleet.choices:
            axes.scatter([choice.usd], _shown(fleet, [choice.worst_share]), s=70, color=_CHOICES[choice.name], zorder=3)
        for usd, share in {(choice.usd, choice.worst_share): None for choice in fleet.choices}:
            names = [choice.name for choice in fleet.choices if (choice.usd, choice.worst_share) == (usd, share)]
            # Words stay inside: of what is dear they stand left of the dot.
            dear = usd > np.mean([one.usd for one in fleet.frontier] + [one.usd for one in fleet.choices])
            place, side = ((-7, 5), "right") if dear else ((7, 5), "left")
            at = (usd, _shown(fleet, [share])[0])
            axes.annotate(", ".join(names), at, place, textcoords="offset points", ha=side)
        axes.axhline(100 * fleet.allowed_worst_share, color=_LATE, linewidth=0.9, linestyle="--", label="allowed")
        logarithmic(axes.yaxis)
        axes.set(xlabel="US dollars for the trace", ylabel="late in the worst ten minutes, %")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2 if narrow else 3, frameon=False)
        return figure


def headroom_plot(fleet: FleetRecord, narrow: bool = False) -> Figure:
    """What has to be spare at any moment, against how long new Pods take to come."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(NARROW_IN if narrow else 8.2, 3.4))
        seconds = [one.start_up_s for one in fleet.headroom]
        axes.plot(seconds, [100 * one.highest for one in fleet.headroom], "o-", color=_LATE, label="for every rise")
        axes.plot(
            seconds, [100 * one.usual for one in fleet.headroom], "o-", color=COLORS[1], label="for 99 of 100 moments"
        )
        _mark(axes, fleet.start_up.new_node_s, "with a new node", 0.04)
        _mark(axes, fleet.start_up.here_s, "on a node that is there", 0.12)
        axes.set(xlabel="seconds until a new Pod serves", ylabel="spare, % of the load")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        return figure


def _mark(axes: Axes, seconds: float, text: str, height: float) -> None:
    axes.axvline(seconds, color="#5b6b7a", linewidth=0.9, linestyle=":")
    axes.annotate(
        text, (seconds, height), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8.5
    )


def _hours(series: Series) -> Floats:
    return np.asarray((series.start_s + np.arange(len(series.pods)) * series.step_s) / 3600)


def least_shown(fleet: FleetRecord) -> float:
    """The share that stands for itself and less, as a logarithmic axis can't show 0: below what is allowed."""
    return min(_LEAST_SHARE, 0.1 * fleet.allowed_share, 0.1 * fleet.allowed_worst_share)


def _shown(fleet: FleetRecord, shares: Sequence[float]) -> Floats:
    """In per cent."""
    return np.asarray(100 * np.maximum(np.array(shares), least_shown(fleet)))
