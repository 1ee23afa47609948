"""Pods on nodes in zones: what starts, what serves, what drains, what is lost, and what is paid for."""

from dataclasses import dataclass, field

import numpy as np

from .settings import Nodes, StartUp


@dataclass
class _Batch:
    """Pods or nodes of one zone for which something happens at the same time.

    `usable_s` is from when on a Pod can load on these nodes: one that is still on its way has no image yet.
    """

    at_s: float
    zone: int
    count: int
    usable_s: float = -float("inf")


@dataclass
class Cluster:
    """The Deployment's Pods, by zone. `ready` ones serve, `pending` ones have no node to go to.

    `gone` are Pods of a lost zone that still get requests, as nobody has noticed; `lost` those that the Deployment
    still counts. `nodes` are all that are paid for: on the way, with a Pod, draining, and idle.
    """

    start_up: StartUp
    limits: Nodes
    seed: int = 1
    ready: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    pending: int = 0
    gone: int = 0
    lost: int = 0
    reclaimed: int = 0

    def __post_init__(self) -> None:
        self.ready, self.nodes = [0] * self.limits.zones, [0] * self.limits.zones
        self._starting: list[_Batch] = []
        self._draining: list[_Batch] = []
        self._idle: list[_Batch] = []
        self._down: int | None = None
        self._returned = False
        self._unnoticed_s = self._evicted_s = float("inf")
        self._random = np.random.default_rng(self.seed)

    @property
    def present(self) -> int:
        """Pods as the Deployment's status counts them."""
        return sum(self.ready) + self.starting + self.pending + self.lost

    @property
    def serving(self) -> int:
        """Pods that answer."""
        return sum(self.ready)

    @property
    def starting(self) -> int:
        """Pods on the way."""
        return sum(batch.count for batch in self._starting)

    @property
    def due_s(self) -> float:
        """When `advance` has something to do next; at once where Pods wait for room, or chance decides."""
        if self.pending or self.limits.reclaims_per_hour:
            return -float("inf")
        times = [batch.at_s for batches in (self._starting, self._draining, self._idle) for batch in batches]
        limits = self.limits
        if limits.lost_from_s is not None and not self._returned:
            until = limits.lost_until_s if limits.lost_until_s is not None else float("inf")
            times.append(limits.lost_from_s if self._down is None else until)
        return min([*times, self._unnoticed_s, self._evicted_s])

    def begin(self, count: int) -> None:
        """So many Pods serve from the start."""
        for _ in range(min(count, self.limits.most)):
            zone = self._emptiest()
            self.ready[zone] += 1
            self.nodes[zone] += 1

    def resize(self, count: int, now_s: float) -> None:
        """Add or remove Pods: those that wait for a node go first, then those that start, then ready ones."""
        more = count - self.present
        if more > 0:
            self.pending += more
            self._place(now_s)
            return
        fewer = -more
        taken = min(fewer, self.pending)
        self.pending -= taken
        fewer -= taken
        while fewer and self._starting:
            batch = self._starting[-1]
            taken = min(fewer, batch.count)
            batch.count -= taken
            fewer -= taken
            idle_until_s = max(now_s, batch.usable_s) + self.limits.idle_s
            self._join(self._idle, _Batch(idle_until_s, batch.zone, taken, batch.usable_s))
            if not batch.count:
                self._starting.pop()
        for _ in range(min(fewer, self.serving)):
            zone = max(range(len(self.ready)), key=self.ready.__getitem__)
            self.ready[zone] -= 1
            self._join(self._draining, _Batch(now_s + self.limits.drain_s, zone, 1))

    def advance(self, now_s: float, step_s: float) -> None:
        """What is due by now: Pods become ready, nodes are given back or taken away, a zone goes or comes back."""
        self._lose(now_s)
        if self._starting and any(batch.at_s <= now_s for batch in self._starting):
            for batch in self._starting:
                if batch.at_s <= now_s:
                    self.ready[batch.zone] += batch.count
            self._starting = [batch for batch in self._starting if batch.at_s > now_s]
        if self._draining and self._draining[0].at_s <= now_s:
            for batch in self._draining:
                if batch.at_s <= now_s:
                    self._join(self._idle, _Batch(now_s + self.limits.idle_s, batch.zone, batch.count))
            self._draining = [batch for batch in self._draining if batch.at_s > now_s]
        if self._idle and any(batch.at_s <= now_s for batch in self._idle):
            for batch in self._idle:
                if batch.at_s <= now_s:
                    self.nodes[batch.zone] -= batch.count
            self._idle = [batch for batch in self._idle if batch.at_s > now_s]
        if self.limits.reclaims_per_hour:
            self._reclaim(step_s)
        if self.pending:
            self._place(now_s)

    def _emptiest(self) -> int:
        """The zone with room that has the fewest Pods; -1 for none."""
        pods = list(self.ready)
        for batch in self._starting:
            pods[batch.zone] += batch.count
        idle = [0] * len(pods)
        for batch in self._idle:
            idle[batch.zone] += batch.count
        room = [
            zone
            for zone in range(len(pods))
            if zone != self._down and (idle[zone] or self.nodes[zone] < self.limits.per_zone)
        ]
        return min(room, key=lambda zone: (pods[zone], zone), default=-1)

    def _place(self, now_s: float) -> None:
        """Give waiting Pods nodes: one that is idle in their zone, or a new one."""
        while self.pending and (zone := self._emptiest()) >= 0:
            self.pending -= 1
            here = [batch for batch in self._idle if batch.zone == zone and batch.count]
            free = min(here, key=lambda batch: batch.usable_s, default=None)
            if free is not None:
                free.count -= 1
                usable_s = free.usable_s
            else:
                self.nodes[zone] += 1
                usable_s = now_s + self.start_up.node_s + self.start_up.image_s
            at_s = max(now_s, usable_s) + self.start_up.here_s
            self._join(self._starting, _Batch(at_s, zone, 1, usable_s))

    def _join(self, batches: list[_Batch], new: _Batch) -> None:
        """Add to the batch of the same zone and time, if there is one among the last."""
        for batch in reversed(batches[-2 * len(self.ready) :]):
            if (batch.zone, batch.at_s, batch.usable_s) == (new.zone, new.at_s, new.usable_s):
                batch.count += new.count
                return
        batches.append(new)

    def _reclaim(self, step_s: float) -> None:
        """Spot nodes that are taken away: their Pods drain in the notice, and new ones need new nodes."""
        for zone, count in enumerate(self.ready):
            taken = int(self._random.binomial(count, min(1.0, self.limits.reclaims_per_hour * step_s / 3600)))
            if taken:
                self.ready[zone] -= taken
                self.nodes[zone] -= taken
                self.pending += taken
                self.reclaimed += taken

    def _lose(self, now_s: float) -> None:
        limits = self.limits
        if limits.lost_from_s is None:
            return
        until = limits.lost_until_s if limits.lost_until_s is not None else float("inf")
        if self._down is None and limits.lost_from_s <= now_s < until:
            self._down = zone = max(range(len(self.ready)), key=self.ready.__getitem__)
            self.gone, self.lost = self.ready[zone], self.ready[zone]
            self.lost += sum(batch.count for batch in self._starting if batch.zone == zone)
            self.ready[zone] = self.nodes[zone] = 0
            for batches in (self._starting, self._draining, self._idle):
                batches[:] = [batch for batch in batches if batch.zone != zone]
            self._unnoticed_s, self._evicted_s = now_s + limits.unnoticed_s, now_s + limits.evicted_s
        if now_s >= self._unnoticed_s:
            self.gone, self._unnoticed_s = 0, float("inf")
        if now_s >= self._evicted_s:
            self.pending += self.lost
            self.lost, self._evicted_s = 0, float("inf")
        if self._down is not None and now_s >= until:
            self._down, self._returned = None, True
