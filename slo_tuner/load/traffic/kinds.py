"""Traffic that is generated: steady, daily, bursts, a step, a flash crowd."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from command_line.errors import UsageError

from .trace import Floats, Trace

_STEP_S = 5.0
_LOWEST = 0.05


@dataclass(frozen=True)
class Shape:
    """Generated traffic: its usual rate (of `daily` the mean), and how many times that its highest is."""

    rate_per_s: float
    hours: float = 24.0
    peak: float | None = None
    seed: int = 1


def _steady(times: Floats, peak: float, seed: int) -> Floats:
    return np.ones_like(times)


def _daily(times: Floats, peak: float, seed: int) -> Floats:
    """A sine with its highest point at 14:00, its lowest as far below the mean, but not below a twentieth of it.

    A higher peak is a sharper one, a power of the sine: so the mean stays what was asked for.
    """
    sine = np.cos(2 * np.pi * (times / 3600 - 14) / 24)
    if peak <= 2 - _LOWEST:
        return np.asarray(1 + (peak - 1) * sine)
    return np.asarray(_LOWEST + (peak - _LOWEST) * ((1 + sine) / 2) ** _power((1 - _LOWEST) / (peak - _LOWEST)))


def _power(mean: float) -> float:
    """The power of (1 + cos) / 2 that has this mean over a period: gamma(p + 1/2) / (sqrt(pi) gamma(p + 1))."""
    low, high = 0.0, 30.0
    for _ in range(60):
        power = math.exp((low + high) / 2)
        found = math.lgamma(power + 0.5) - math.lgamma(power + 1) - 0.5 * math.log(math.pi)
        low, high = ((low + high) / 2, high) if found > math.log(mean) else (low, (low + high) / 2)
    return math.exp(low)


def _bursts(times: Floats, peak: float, seed: int) -> Floats:
    """A burst an hour on average, at random times, of two to ten minutes, risen within half a minute."""
    random, shape = np.random.default_rng(seed), np.ones_like(times)
    for start in np.sort(random.uniform(0, times[-1], max(1, round(times[-1] / 3600)))):
        length = random.uniform(120, 600)
        rise = np.clip(np.minimum((times - start) / 30, (start + length - times) / 30), 0, 1)
        shape = np.maximum(shape, 1 + (peak - 1) * rise)
    return shape


def _step(times: Floats, peak: float, seed: int) -> Floats:
    return np.where(times < (times[-1] + times[0]) / 2, 1.0, peak)


def _flash(times: Floats, peak: float, seed: int) -> Floats:
    """A crowd that comes within a minute in the middle, and goes with a half-life of a quarter of an hour."""
    since = times - times[-1] / 2
    crowd = np.where(since < 0, 0.0, np.minimum(since / 60, 0.5 ** (np.maximum(since - 60, 0) / 900)))
    return np.asarray(1 + (peak - 1) * crowd)


_Kind = Callable[[Floats, float, int], Floats]
KINDS: dict[str, tuple[_Kind, float]] = {
    "steady": (_steady, 1.0),
    "daily": (_daily, 1.6),
    "bursts": (_bursts, 3.0),
    "step": (_step, 2.0),
    "flash": (_flash, 5.0),
}
"""Each kind: its shape over times in seconds, and the highest over the usual rate where none is asked for."""


def check_kind(kind: str) -> None:
    """UsageError for a kind of traffic that is not known."""
    if kind not in KINDS:
        raise UsageError("traffic", kind, f"choose one of {', '.join(KINDS)}")


def generated(kind: str, shape: Shape) -> Trace:
    """Traffic of a kind, in steps of 5 s; UsageError for a kind that is not known."""
    check_kind(kind)
    make, usual = KINDS[kind]
    peak = usual if shape.peak is None else shape.peak
    times = (np.arange(max(1, round(shape.hours * 3600 / _STEP_S))) + 0.5) * _STEP_S
    rates = shape.rate_per_s * make(times, peak, shape.seed)
    return Trace(f"{kind}, {shape.rate_per_s:g} requests/s, {shape.hours:g} h", _STEP_S, rates)
