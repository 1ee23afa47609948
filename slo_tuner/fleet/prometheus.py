"""What Prometheus knows of the Pods: scrapes of their counters, and means over a window of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..capacity.queue_model import Floats


@dataclass(frozen=True)
class Counters:
    """What the Pods of each fleet have counted since the beginning, at a scrape; all shapes [fleets].

    Answers, their seconds in the queue, seconds of Pods, and of these the seconds in which they were busy.
    """

    at_s: float
    served: Floats
    queued_s: Floats
    pods_s: Floats
    busy_s: Floats


@dataclass(frozen=True)
class Seen:
    """Means over a window, of each fleet; all shapes [fleets]. NaN where the window has less than two scrapes."""

    rate_per_s: Floats
    queue_ms: Floats
    busy_percent: Floats


class Prometheus:
    """Keeps scrapes, and answers with means over each fleet's window as `rate()` does: between its first and last
    scrape."""

    def __init__(self, windows_s: Sequence[float]) -> None:
        windows = np.array(windows_s, dtype=np.float64)
        self._windows = [(window, windows == window) for window in sorted(set(windows.tolist()))]
        self._longest_s, self._fleets = float(windows.max()), len(windows)
        self._scrapes: deque[tuple[float, Floats]] = deque()

    def scrape(self, counters: Counters) -> None:
        """One more."""
        counts = np.array([counters.served, counters.queued_s, counters.pods_s, counters.busy_s])
        self._scrapes.append((counters.at_s, counts))
        while self._scrapes[0][0] < counters.at_s - 2 * self._longest_s:
            self._scrapes.popleft()

    def ask(self, now_s: float) -> Seen:
        """The means over the last window."""
        seconds, counts = np.full(self._fleets, np.nan), np.zeros((4, self._fleets))
        for window, fleets in self._windows:
            inside = [one for one in self._scrapes if one[0] > now_s - window - 1e-9]
            if len(inside) >= 2:
                (first_s, first), (last_s, last) = inside[0], inside[-1]
                seconds[fleets] = last_s - first_s
                counts[:, fleets] = (last - first)[:, fleets]
        served, queued_s, pods_s, busy_s = counts
        known = seconds / seconds
        return Seen(
            served / seconds,
            known * 1000 * queued_s / np.maximum(served, 0.001 * seconds),
            known * 100 * busy_s / np.maximum(pods_s, 1e-9),
        )
