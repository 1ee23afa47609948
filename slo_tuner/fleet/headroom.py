"""How much must be spare at any moment, so that a rise of the load is served until new Pods are there."""

import numpy as np

from ..load.traffic.trace import Floats, Trace
from .record import Headroom
from .settings import SCRAPE_S, SYNC_S, ScalingSettings

_STEP_S = 5.0
START_UPS_S = (15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0)


def reaction_s(settings: ScalingSettings) -> float:
    """Seconds until a rise is seen and answered: half of the window's mean, the next scrape, the next sync."""
    return settings.window_s / 2 + SCRAPE_S / 2 + SYNC_S / 2


def headroom(trace: Trace, settings: ScalingSettings, start_ups_s: tuple[float, ...] = START_UPS_S) -> list[Headroom]:
    """The rise of the load within each start-up time and the reaction before it, as shares of what was asked before.

    Loads are means over 30 s, as Poisson arrivals rise by chance too. `usual` holds in 99 of 100 moments.
    """
    smooth = smoothed(trace, 30.0)
    found = []
    for start_up in start_ups_s:
        steps = round((start_up + reaction_s(settings)) / _STEP_S)
        if steps >= len(smooth):
            break
        rise = np.maximum(smooth[steps:] / np.maximum(smooth[:-steps], 1e-9) - 1, 0.0)
        rise = rise[smooth[:-steps] > 0]
        if len(rise):
            found.append(Headroom(start_up_s=start_up, highest=float(rise.max()), usual=float(np.quantile(rise, 0.99))))
    return found


def smoothed(trace: Trace, seconds: float) -> Floats:
    """Rates in steps of 5 s, each the mean of so many seconds around it."""
    rates = trace.at(_STEP_S)
    width = min(max(1, round(seconds / _STEP_S)), len(rates))
    return np.asarray(np.convolve(rates, np.ones(width) / width, "valid"))


def steepest_rise_s(trace: Trace, within_s: float) -> float:
    """When the load begins to rise the most within so many seconds."""
    smooth = smoothed(trace, 30.0)
    steps = max(1, round(within_s / _STEP_S))
    if steps >= len(smooth):
        return 0.0
    return float(np.argmax(smooth[steps:] - smooth[:-steps]) * _STEP_S)


def busiest_s(trace: Trace) -> float:
    """When the busiest minute begins."""
    return float(np.argmax(smoothed(trace, 60.0)) * _STEP_S)
