"""The autoscaler as Kubernetes and KEDA have it: tolerance, stabilisation, policies, cool-down; many side by side.

After the controller's source (kubernetes/kubernetes, pkg/controller/podautoscaler/{horizontal,replica_calculator}.go
of 1.34) and KEDA's (pkg/scaling/executor/scale_scaledobjects.go of 2.17).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..capacity.queue_model import Floats
from .prometheus import Seen
from .settings import SYNC_S, ScalingSettings

Counts = NDArray[np.int64]
TOLERANCE = 0.1
"""`--horizontal-pod-autoscaler-tolerance`."""


@dataclass(frozen=True)
class Pods:
    """How many Pods each fleet has, as the Deployment's status has it, and how many of them are ready; [fleets]."""

    present: Counts
    ready: Counts


class _Remembered:
    """What the syncs of the longest window wished for, and by how many Pods they changed each fleet; in a ring."""

    def __init__(self, syncs: int, fleets: int) -> None:
        self._times = np.full((syncs, 1), -np.inf)
        self._wishes, self._removed = np.full((syncs, fleets), np.nan), np.zeros((syncs, fleets))
        self._place = 0

    def wished(self, now_s: float, wishes: Floats) -> None:
        """One more sync; NaN for a fleet that does not take part."""
        self._place = (self._place + 1) % len(self._times)
        self._times[self._place], self._wishes[self._place], self._removed[self._place] = now_s, wishes, 0.0

    def changed(self, removed: Floats) -> None:
        """By how many Pods fewer the sync's fleets have; below 0 where it added some."""
        self._removed[self._place] = removed

    def wishes(self, now_s: float, windows_s: Floats) -> Floats:
        """Those of each fleet's window, shape [syncs, fleets]; NaN where there is none."""
        return np.where(self._times > now_s - windows_s, self._wishes, np.nan)

    def removed(self, now_s: float, periods_s: Floats) -> Floats:
        """How many Pods each fleet lost in its period, on the whole."""
        return np.asarray(np.where(self._times > now_s - periods_s, self._removed, 0.0).sum(axis=0))


class Autoscaler:
    """Decides about the number of Pods at each sync, for every fleet with its own settings.

    `capacity_per_s` is what one Pod serves within the objective; syncs are `sync_s` apart at least.
    """

    def __init__(self, settings: Sequence[ScalingSettings], capacity_per_s: float, sync_s: float = SYNC_S) -> None:
        def each(name: str) -> Floats:
            """A setting of every fleet, NaN for None."""
            return np.array([getattr(one, name) for one in settings], dtype=np.float64)

        self._least, self._most = each("least").astype(np.int64), each("most").astype(np.int64)
        self._fewest = np.maximum(self._least, 1)
        self._cooldown_s, self._polling_s = each("cooldown_s"), each("polling_s")
        self._up_percent, self._up_pods, self._up_period_s = each("up_percent"), each("up_pods"), each("up_period_s")
        self._up_stabilization_s = each("up_stabilization_s")
        self._down_percent, self._down_period_s = each("down_percent"), each("down_period_s")
        self._rate_target = capacity_per_s * each("rate_target_percent") / 100
        self._queue_target_ms, self._gpu_target = each("queue_target_ms"), each("gpu_target_percent")
        self._adapter = np.array([one.mode == "hpa" for one in settings])
        windows = (self._cooldown_s, self._up_stabilization_s, self._up_period_s, self._down_period_s)
        longest_s = max(float(window.max()) for window in windows)
        self._before = _Remembered(math.ceil(longest_s / sync_s) + 2, len(settings))
        self._active_s, self._poll_at_s = np.zeros(len(settings)), np.zeros(len(settings))

    @property
    def may_sleep(self) -> bool:
        """Whether some fleet has no Pod at times."""
        return bool((self._least == 0).any())

    def sync(self, now_s: float, pods: Pods, seen: Seen) -> Counts:
        """The number of Pods to have from now on, shape [fleets]."""
        # No Pod: KEDA alone acts. No metric: the controller leaves the number as it is.
        acts = (pods.present > 0) & np.isfinite(seen.rate_per_s)
        wanted = np.where(acts, self._bounded(self._wishes(pods, seen)), np.nan)
        self._before.wished(now_s, wanted)
        stable = np.where(acts, self._stabilized(now_s, pods.present, wanted), self._bounded(pods.present))
        grows, shrinks = acts & (stable > pods.present), acts & (stable < pods.present)
        if grows.any():
            before = pods.present + self._before.removed(now_s, self._up_period_s)
            most = np.maximum(np.ceil(before * (1 + self._up_percent / 100)), before + self._up_pods)
            stable = np.where(grows, np.maximum(np.minimum(stable, most), pods.present), stable)
        if shrinks.any():
            before = pods.present + self._before.removed(now_s, self._down_period_s)
            fewest = np.trunc(before * (1 - self._down_percent / 100))
            stable = np.where(shrinks, np.minimum(np.maximum(stable, fewest), pods.present), stable)
        self._before.changed(np.where(acts, pods.present - stable, 0.0))
        return np.asarray(stable.astype(np.int64))

    def poll(self, now_s: float, present: Counts, active: bool) -> Counts:
        """KEDA's part: from 0 to 1 as soon as a trigger is active, to 0 when none was for the whole cool-down."""
        due = now_s >= self._poll_at_s
        self._poll_at_s = np.where(due, now_s + self._polling_s, self._poll_at_s)
        if active:
            self._active_s = np.where(due, now_s, self._active_s)
        rests = not active and (now_s - self._active_s >= self._cooldown_s)
        awake = np.where(present == 0, int(active), np.where(rests, 0, present))
        return np.where(due & (self._least == 0), awake, present)

    def _bounded(self, wanted: Floats | Counts) -> Floats | Counts:
        # The HorizontalPodAutoscaler that KEDA makes has one Pod at least; 0 is KEDA's own.
        within = np.minimum(np.maximum(wanted, self._fewest), self._most)
        return np.where((wanted == 0) & (self._least == 0), 0, within)

    def _wishes(self, pods: Pods, seen: Seen) -> Floats | Counts:
        """What the trigger wishes that wants most, for each fleet."""
        wishes = (
            self._average(pods, seen.rate_per_s, self._rate_target),
            self._value(pods, seen.queue_ms / self._queue_target_ms),
            self._value(pods, seen.busy_percent / self._gpu_target),
        )
        most = np.fmax(np.fmax(wishes[0], wishes[1]), wishes[2])
        return np.where(np.isnan(most), pods.present, most)

    def _average(self, pods: Pods, totals: Floats, targets: Floats) -> Floats:
        """`AverageValue`: of KEDA a sum over all Pods; of an adapter a mean over those that have one (see `_value`)."""
        present = np.maximum(pods.present, 1)
        near = np.abs(1 - totals / (targets * present)) <= TOLERANCE
        wishes = np.where(near, pods.present, np.ceil(totals / targets - 1e-9))
        if self._adapter.any():
            means = self._value(pods, totals / np.maximum(pods.ready, 1) / targets)
            wishes = np.where(self._adapter, means, wishes)
        return wishes

    def _value(self, pods: Pods, ratio: Floats) -> Floats:
        """A ratio of a mean to its target; NaN where there is none. Of KEDA's `Value` it multiplies the ready Pods.

        Of an adapter's Pod metric those without one count as 0 where it would add Pods, and as the target where it
        would remove some: so a wave of new Pods is not doubled while it starts.
        """
        wishes = np.ceil(ratio * pods.ready - 1e-9)
        missing = pods.present - pods.ready
        if (self._adapter & (missing > 0)).any():
            present = np.maximum(pods.present, 1)
            again = (ratio * pods.ready + np.where(ratio > 1, 0.0, missing)) / present
            turned = (np.abs(1 - again) <= TOLERANCE) | ((ratio > 1) != (again > 1))
            careful = np.where(turned, pods.present, np.ceil(again * pods.present - 1e-9))
            wishes = np.where(self._adapter & (missing > 0), careful, wishes)
        wishes = np.where(np.abs(1 - ratio) <= TOLERANCE, pods.present, wishes)
        return np.where(np.isnan(ratio), np.nan, wishes)

    def _stabilized(self, now_s: float, present: Counts, wanted: Floats) -> Floats:
        """The lowest wish of the window for more Pods, the highest of the one for fewer."""
        up = wanted
        if self._up_stabilization_s.any():
            up = np.fmin(wanted, np.fmin.reduce(self._before.wishes(now_s, self._up_stabilization_s)))
        down = np.fmax(wanted, np.fmax.reduce(self._before.wishes(now_s, self._cooldown_s)))
        return np.minimum(np.maximum(present, up), down)
