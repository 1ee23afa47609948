"""One Pod's queue as a table: from how many wait, and at which rate, to how many wait a second later and who is late.

A fleet's Pods are too many to play each event by event. So the queue is played once for every pair of a rate and a
number of waiting requests, many times each; a fleet then carries along the share of its Pods that have so many waiting.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..capacity.queue_model import Floats
from .pod_queue import Lanes, PodModel, play

_BELOW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.58, 0.65, 0.71, 0.76, 0.81, 0.85, 0.88, 0.91, 0.935, 0.96, 0.98)
_PLAYED = (*_BELOW, 1.0, 1.03, 1.08, 1.15, 1.25)
_FLOWING = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Rates as shares of the saturation: those that are played, and those at which the queue grows like a liquid."""
_GROWTH, _EACH, _RARER = 1.08, 24, 0.93
LATE, REFUSED, WAIT, BUSY = range(4)
"""Where the shares of a step stand in what `advance_all` says of it (see `Step`)."""
_NOBODY = 1e-12
"""A share of the Pods that is none."""
_TINY = 1e-30
"""Smaller numbers become so small that a processor is slow with them."""
_FEWEST_LANES = 8
_FEW = 12
"""So many fleets are moved one by one: a matrix of few rows is multiplied slower than each of them."""


@dataclass(frozen=True)
class Step:
    """What a step did, per Pod: shares of the requests that were late or refused, seconds they waited, instances busy.

    `late` contains what was refused: nobody got an answer in time.
    """

    late: float
    refused: float
    wait_s: float
    busy: float


@dataclass(frozen=True)
class PodTable:
    """`moves` [rates, nodes, nodes + 4]: from each number of waiting requests the shares that reach each other number,
    and what happened meanwhile (see `Step`); `nodes` and `rates` (a second) are those numbers."""

    step_s: float
    nodes: Floats
    rates: Floats
    moves: Floats

    def idle(self) -> Floats:
        """The state of Pods in which nothing waits: shares of the Pods at each node."""
        state = np.zeros(len(self.nodes))
        state[0] = 1.0
        return state

    def advance(self, state: Floats, rate_per_s: float) -> tuple[Floats, Step]:
        """The state after a step at a rate for each Pod, and what happened."""
        states, happened = self.advance_all(state[None, :], np.array([[rate_per_s]]))
        return states[0], Step(*happened[0, 0].tolist())

    def advance_all(self, states: Floats, rates_per_s: Floats) -> tuple[Floats, Floats]:
        """The same for several fleets and steps: states of shape [fleets, nodes], a rate for each Pod of each of them,
        [steps, fleets], and what happened, [steps, fleets, 4]: `LATE`, `REFUSED`, `WAIT`, `BUSY`."""
        low = np.minimum(self.rates.searchsorted(rates_per_s, side="right") - 1, len(self.rates) - 2)
        below = self.rates[low]
        parts = np.minimum((rates_per_s - below) / (self.rates[low + 1] - below), 1.0)[:, :, None]
        happened = np.empty((*rates_per_s.shape, 4))
        moved = np.empty((len(states), self.moves.shape[2]))
        move = self._move_few if len(states) <= _FEW else self._move_many
        for step, (lows, part) in enumerate(zip(low.tolist(), parts, strict=True)):
            move(states, lows, part, moved)
            states, happened[step] = moved[:, :-4], moved[:, -4:]
        return states, happened

    def _move_few(self, states: Floats, low: Sequence[int], part: Floats, moved: Floats) -> None:
        """States moved at a rate of the table, and in part at the next; one product for each fleet."""
        fleets, nodes = states.shape
        both = np.empty((fleets, 2, nodes))
        np.multiply(states, part, out=both[:, 1])
        np.subtract(states, both[:, 1], out=both[:, 0])
        both[both < _TINY] = 0.0
        for fleet, place in enumerate(low):
            np.dot(both[fleet].reshape(-1), self._neighbours[place], out=moved[fleet])

    def _move_many(self, states: Floats, low: Sequence[int], part: Floats, moved: Floats) -> None:
        """The same, with products for all fleets between the same two rates."""
        # Most states reach a few nodes only: the others' rows would be multiplied by 0.
        reached = int((states > _NOBODY).any(axis=0).nonzero()[0][-1]) + 1
        found = np.empty_like(moved)
        for place in set(low):
            rows = (np.array(low) == place).nonzero()[0]
            some, more = states[rows, :reached], part[rows]
            at, beyond = some @ self.moves[place, :reached], some @ self.moves[place + 1, :reached]
            found[rows] = (1 - more) * at + more * beyond
        moved[:] = found

    @cached_property
    def _neighbours(self) -> list[Floats]:
        """The moves of each rate with those of the next below them, each of shape [2 * nodes, nodes + 4]."""
        rates, nodes, wide = self.moves.shape
        rows = self.moves.reshape(rates * nodes, wide)
        return [rows[rate * nodes : (rate + 2) * nodes] for rate in range(rates - 1)]

    def waiting(self, state: Floats) -> float:
        """Mean number of waiting requests of a Pod."""
        return float(state @ self.nodes)

    def coarser(self, times: int) -> "PodTable":
        """The table of steps that are so many times longer, exact at its own rates that stay the same within them."""
        if times == 1:
            return self
        half = self.coarser(times // 2)
        whole = half.then(half)
        return whole.then(self) if times % 2 else whole

    def then(self, other: "PodTable") -> "PodTable":
        """The table of a step of this one and a step of another, of the same nodes, after it."""
        nodes, step_s = len(self.nodes), self.step_s + other.step_s
        now = self.moves[:, :, :nodes]
        moves = now @ other.moves
        moves[:, :, nodes:] = (self.step_s * self.moves[:, :, nodes:] + other.step_s * moves[:, :, nodes:]) / step_s
        return replace(self, step_s=step_s, moves=moves)


def aligned(table: PodTable, capacity_per_s: float, allowed_share: float) -> PodTable:
    """The table with its rates multiplied by one factor, so that `capacity_per_s` is late by just `allowed_share`.

    Few requests were played for a pair, and the service time was calibrated by as few: both are off by some percent.
    """
    low, high = 0.0, float(table.rates[-len(_FLOWING)])
    long = table.coarser(60)
    for _ in range(20):
        middle, state = (low + high) / 2, table.idle()
        for _ in range(20):
            state, happened = long.advance(state, middle)
        low, high = (low, middle) if happened.late > allowed_share else (middle, high)
    return replace(table, rates=table.rates * (capacity_per_s / max(low, 1e-9)))


def step_for(pod: PodModel) -> int:
    """Seconds of a step: one, or five service times of a slow model, so that what runs at its end matters little."""
    took = float(pod.service.seconds(np.asarray(1.0), np.asarray(1.0)))
    return max(1, math.ceil(5 * took))


@dataclass(frozen=True)
class TableSpec:
    """What a table is made for: the limit of a request in seconds, and how much work, in seconds, may wait in a Pod
    before it refuses more.

    `samples` requests are played of each pair, fewer where many wait at first; `loads` are shares of the saturation.
    """

    limit_s: float
    patience_s: float
    samples: int = 6000
    seed: int = 1
    loads: tuple[float, ...] = _PLAYED


def make_table(pod: PodModel, spec: TableSpec) -> PodTable:
    """The table of a Pod; takes seconds."""
    saturation = pod.saturation_per_s
    parts = _parts(pod, spec)
    part_s = step_for(pod) / parts
    limit_s = spec.limit_s - pod.outside_s
    most = max(4.0, saturation * max(spec.patience_s, 2 * limit_s))
    nodes = _nodes(most)
    # With more waiting than this, every request of the step is late.
    played = int(np.searchsorted(nodes, saturation * (limit_s + part_s) + pod.configuration.batch) + 1)
    played = min(played, len(nodes))
    rates = np.array([0.0, *(saturation * share for share in (*spec.loads, *_FLOWING))])
    moves = np.stack([_flow(pod, nodes, rate, part_s, limit_s) for rate in rates])
    for number in range(1, len(spec.loads) + 1):
        moves[number, :played] = _played(pod, nodes, played, float(rates[number]), part_s, limit_s, spec)
    moves[0, :, -4:] = 0.0
    return PodTable(part_s, nodes, rates, moves).coarser(parts)


def _parts(pod: PodModel, spec: TableSpec) -> int:
    """Into how many parts a step is divided, each of which is played, where a fast Pod serves more than `samples` in
    the fewest lanes: 1, or a power of 2. A part is of five of the longest services at least."""
    step_s, saturation, configuration = step_for(pod), pod.saturation_per_s, pod.configuration
    longest_s = configuration.batch * configuration.instances / saturation
    most = min(_FEWEST_LANES * saturation * step_s / spec.samples, step_s / (5 * longest_s))
    return 1 << max(0, math.floor(math.log2(most)))


def _nodes(most: float) -> Floats:
    """Numbers of waiting requests: each of the first, then farther and farther apart."""
    nodes = list(range(_EACH + 1))
    while nodes[-1] < most:
        nodes.append(math.ceil(nodes[-1] * _GROWTH))
    return np.array(nodes, dtype=np.float64)


def _spread(nodes: Floats, values: Floats) -> Floats:
    """Shares at the nodes for each value, shape [values, nodes]: of its two neighbours, so that means are kept."""
    values = np.clip(values, nodes[0], nodes[-1])
    low = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    part = (values - nodes[low]) / (nodes[low + 1] - nodes[low])
    shares = np.zeros((len(values), len(nodes)))
    rows = np.arange(len(values))
    shares[rows, low] = 1 - part
    shares[rows, low + 1] += part
    return shares


def _played(
    pod: PodModel, nodes: Floats, played: int, rate: float, step_s: float, limit_s: float, spec: TableSpec
) -> Floats:
    """A rate's rows of the table, from lanes that are played; shape [played, nodes + 4]."""
    most = np.clip(spec.samples / max(rate * step_s, 1e-9), _FEWEST_LANES, 4000)
    # Long queues are rare, and less depends on chance in them.
    times = np.maximum(most * _RARER ** nodes[:played], _FEWEST_LANES).astype(np.int64)
    waiting = np.repeat(nodes[:played].astype(np.int64), times)
    found = play(pod, Lanes(waiting, rate, step_s, limit_s, tuple(times.tolist())), spec.seed)
    firsts = np.concatenate([[0], np.cumsum(times)[:-1]])

    def mean(values: Floats) -> Floats:
        of_lanes = values.reshape(len(waiting), -1)
        return np.asarray(np.add.reduceat(of_lanes, firsts, axis=0) / times[:, None])

    shares = mean(_spread(nodes, found.waiting))
    arrived = np.maximum(mean(found.arrived), 1e-9)
    room = nodes[-1]
    refused = mean(np.maximum(found.waiting - room, 0.0)) / arrived
    late = np.minimum(mean(found.late) / arrived + refused, 1.0)
    return np.concatenate([shares, late, refused, mean(found.wait_s) / arrived, mean(found.busy)], axis=1)


def _flow(pod: PodModel, nodes: Floats, rate: float, step_s: float, limit_s: float) -> Floats:
    """A rate's rows where so much waits, or comes, that chance matters little; shape [nodes, nodes + 4]."""
    saturation, room = pod.saturation_per_s, nodes[-1]
    times = (np.arange(40) + 0.5) / 40 * step_s
    there = nodes[:, None] + (rate - saturation) * times
    took = float(
        pod.service.seconds(np.asarray(float(pod.configuration.batch)), np.asarray(float(pod.configuration.instances)))
    )
    full = there >= room
    refused = np.where(full, max(0.0, 1 - saturation / rate) if rate > 0 else 0.0, 0.0)
    waits = np.clip(there, 0.0, room) / saturation
    late = np.where(waits + took > limit_s, 1.0, refused)
    end = np.clip(nodes + (rate - saturation) * step_s, 0.0, room)
    busy = np.minimum((nodes + rate * step_s) / (saturation * step_s), 1.0)
    happened = np.stack([late.mean(axis=1), refused.mean(axis=1), waits.mean(axis=1), busy], axis=1)
    return np.concatenate([_spread(nodes, end), happened], axis=1)
