"""The autoscaler as Kubernetes and KEDA have it: metrics by scrapes, tolerance, stabilisation, policies, cool-down.

After the controller's source (kubernetes/kubernetes, pkg/controller/podautoscaler/{horizontal,replica_calculator}.go
of 1.34) and KEDA's (pkg/scaling/executor/scale_scaledobjects.go of 2.17).
"""

import math
from collections import deque
from dataclasses import dataclass

from .settings import SYNC_S, ScalingSettings

TOLERANCE = 0.1
"""`--horizontal-pod-autoscaler-tolerance`."""


@dataclass(frozen=True)
class Counters:
    """What the Pods have counted since the beginning, at a scrape: answers, their seconds in the queue, and seconds of
    Pods, and how many of these were busy."""

    at_s: float
    served: float
    queued_s: float
    pods_s: float
    busy_s: float


@dataclass(frozen=True)
class Seen:
    """What Prometheus says of the Pods over a window: None where it has less than two scrapes."""

    rate_per_s: float
    queue_ms: float
    busy_percent: float


class Prometheus:
    """Keeps scrapes, and answers with means over a window as `rate()` does: between its first and last scrape."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._scrapes: deque[Counters] = deque()

    def scrape(self, counters: Counters) -> None:
        """One more."""
        self._scrapes.append(counters)
        while self._scrapes[0].at_s < counters.at_s - 2 * self._window_s:
            self._scrapes.popleft()

    def ask(self, now_s: float) -> Seen | None:
        """The means over the last window."""
        inside = [one for one in self._scrapes if one.at_s > now_s - self._window_s - 1e-9]
        if len(inside) < 2:
            return None
        first, last = inside[0], inside[-1]
        seconds, served = last.at_s - first.at_s, last.served - first.served
        pods_s = max(last.pods_s - first.pods_s, 1e-9)
        return Seen(
            served / seconds,
            1000 * (last.queued_s - first.queued_s) / max(served, 0.001 * seconds),
            100 * (last.busy_s - first.busy_s) / pods_s,
        )


@dataclass(frozen=True)
class Pods:
    """How many Pods there are, as the Deployment's status has it, and how many of them are ready."""

    present: int
    ready: int


class Autoscaler:
    """Decides about the number of Pods at each sync; `capacity_per_s` is what one Pod serves within the objective."""

    def __init__(self, settings: ScalingSettings, capacity_per_s: float) -> None:
        self._settings, self._capacity = settings, capacity_per_s
        self._recommended: deque[tuple[float, int]] = deque()
        # Of the last periods: as many events as the longest period, half an hour, has syncs.
        self._added: deque[tuple[float, int]] = deque(maxlen=120)
        self._removed: deque[tuple[float, int]] = deque(maxlen=120)
        self._active_s = 0.0

    def sync(self, now_s: float, pods: Pods, seen: Seen | None) -> int:
        """The number of Pods to have from now on."""
        settings = self._settings
        if pods.present == 0 or seen is None:
            # No Pod: KEDA alone acts. No metric: the controller leaves the number as it is.
            return self._bounded(pods.present)
        wanted = self._bounded(max(self._wishes(pods, seen), default=pods.present))
        stable = self._stabilized(now_s, pods.present, wanted)
        if stable > pods.present:
            before = self._before(now_s, pods.present, settings.up_period_s)
            limit = max(math.ceil(before * (1 + settings.up_percent / 100)), before + settings.up_pods)
            stable = max(min(stable, limit), pods.present)
            if stable > pods.present:
                self._added.append((now_s, stable - pods.present))
        elif stable < pods.present:
            before = self._before(now_s, pods.present, settings.down_period_s)
            limit = int(before * (1 - settings.down_percent / 100))
            stable = min(max(stable, limit), pods.present)
            if stable < pods.present:
                self._removed.append((now_s, pods.present - stable))
        return stable

    def poll(self, now_s: float, present: int, active: bool) -> int:
        """KEDA's part: from 0 to 1 as soon as a trigger is active, to 0 when none was for the whole cool-down."""
        if active:
            self._active_s = now_s
        if self._settings.least > 0:
            return present
        if present == 0:
            return 1 if active else 0
        return 0 if not active and now_s - self._active_s >= self._settings.cooldown_s else present

    def _bounded(self, wanted: int) -> int:
        least = self._settings.least
        # The HorizontalPodAutoscaler that KEDA makes has one Pod at least; 0 is KEDA's own.
        return wanted if wanted == 0 and least == 0 else min(max(wanted, least, 1), self._settings.most)

    def _wishes(self, pods: Pods, seen: Seen) -> list[int]:
        """What each trigger wants; the most counts."""
        settings, wishes = self._settings, []
        if settings.rate_target_percent is not None:
            target = self._capacity * settings.rate_target_percent / 100
            wishes.append(self._average(pods, seen.rate_per_s, target))
        for value, goal in (
            (seen.queue_ms, settings.queue_target_ms),
            (seen.busy_percent, settings.gpu_target_percent),
        ):
            if goal is not None:
                wishes.append(self._value(pods, value / goal))
        return wishes

    def _average(self, pods: Pods, total: float, target: float) -> int:
        """`AverageValue`: of KEDA a sum over all Pods; of an adapter a mean over those that have one (see `_value`)."""
        if self._settings.mode == "hpa":
            return self._value(pods, total / max(pods.ready, 1) / target)
        if abs(1 - total / (target * pods.present)) <= TOLERANCE:
            return pods.present
        return math.ceil(total / target - 1e-9)

    def _value(self, pods: Pods, ratio: float) -> int:
        """A ratio of a mean to its target. Of KEDA's `Value` it multiplies the ready Pods.

        Of an adapter's Pod metric those without one count as 0 where it would add Pods, and as the target where it
        would remove some: so a wave of new Pods is not doubled while it starts.
        """
        if abs(1 - ratio) <= TOLERANCE:
            return pods.present
        if self._settings.mode == "keda" or pods.ready == pods.present:
            return math.ceil(ratio * pods.ready - 1e-9)
        missing = pods.present - pods.ready
        again = (ratio * pods.ready + (0.0 if ratio > 1 else missing)) / pods.present
        if abs(1 - again) <= TOLERANCE or (ratio > 1) != (again > 1):
            return pods.present
        return math.ceil(again * pods.present - 1e-9)

    def _stabilized(self, now_s: float, present: int, wanted: int) -> int:
        """The lowest wish of the window for more Pods, the highest of the one for fewer."""
        settings = self._settings
        self._recommended.append((now_s, wanted))
        while self._recommended[0][0] <= now_s - max(settings.up_stabilization_s, settings.cooldown_s, SYNC_S):
            self._recommended.popleft()
        up = min([wanted, *(n for at, n in self._recommended if at > now_s - settings.up_stabilization_s)])
        down = max([wanted, *(n for at, n in self._recommended if at > now_s - settings.cooldown_s)])
        return min(max(present, up), down)

    def _before(self, now_s: float, present: int, period_s: float) -> int:
        """How many Pods there were at the start of the period."""
        changes = ((self._removed, 1), (self._added, -1))
        return present + sum(sign * n for events, sign in changes for at, n in events if at > now_s - period_s)
