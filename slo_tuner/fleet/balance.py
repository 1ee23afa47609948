"""How requests are shared out to the Pods of fleets side by side, and what waits in them."""

from functools import cache

import numpy as np

from ..capacity.queue_model import Floats
from .autoscaler import Counts
from .pod_table import BUSY, PodTable
from .settings import Requests

_GROUPS = 8


class Load:
    """The Pods of each fleet in groups of equal size, each with its share of the load over the mean, and what waits.

    Where each request goes to the next Pod there is one group. Where a Service deals out connections, a Pod has as
    many as chance gives it, and a new Pod gets none before old ones end: `joined` is how many Pods the connections
    are spread over. `states` are of shape [fleets, groups, nodes], `shares` [fleets, groups].
    """

    def __init__(self, requests: Requests, table: PodTable, pods: Counts) -> None:
        """Idle Pods over which all connections are spread."""
        self._requests, self._table, self._pods = requests, table, pods.copy()
        self._joined, self._divisors = pods.astype(np.float64), np.maximum(pods, 1)
        self._shares = np.stack([_shares(requests, count) for count in pods.tolist()])
        self._states = np.broadcast_to(table.idle(), (*self._shares.shape, len(table.nodes))).copy()

    def resize(self, pods: Counts) -> None:
        """Other numbers of Pods: new ones are idle; those that end serve what waits in them, and are left out."""
        idle = self._table.idle()
        for fleet in np.flatnonzero(pods != self._pods).tolist():
            old, new = int(self._pods[fleet]), int(pods[fleet])
            self._joined[fleet] = min(self._joined[fleet], new)
            if old == 0:
                # All connections are made anew.
                self._states[fleet], self._joined[fleet] = idle, new
            elif new > old and self._requests.balancing == "requests":
                self._states[fleet] = old / new * self._states[fleet] + (1 - old / new) * idle
            self._shares[fleet] = _shares(self._requests, new)
        self._pods, self._divisors = pods.copy(), np.maximum(pods, 1)

    def advance(self, rates_per_s: Floats) -> Floats:
        """Steps with a rate of all requests of each fleet, shape [steps, fleets]; what happened, as means over its
        requests (see `PodTable.advance_all`), shape [steps, fleets, 4]."""
        if self._states.shape[1] == 1:
            moved, happened = self._table.advance_all(self._states[:, 0], rates_per_s / self._divisors)
            self._states = moved[:, None]
            return happened
        return np.stack([self._advance_groups(rates) for rates in rates_per_s])

    def _advance_groups(self, rates_per_s: Floats) -> Floats:
        """A step of fleets whose Pods have different loads."""
        fleets, groups, nodes = self._states.shape
        each = (rates_per_s / np.maximum(self._joined, 1e-9))[:, None] * self._shares
        moved, of_groups = self._table.advance_all(self._states.reshape(-1, nodes), each.reshape(1, -1))
        self._states = moved.reshape(fleets, groups, nodes)
        of_groups = of_groups.reshape(fleets, groups, 4)
        weights = self._shares / self._shares.sum(axis=1, keepdims=True)
        happened = np.asarray((of_groups * weights[:, :, None]).sum(axis=1))
        # Pods that have no connection yet are not busy.
        happened[:, BUSY] = of_groups[:, :, BUSY].mean(axis=1) * self._joined / self._divisors
        self._joined += (self._pods - self._joined) * (
            1 - np.exp(-self._table.step_s / self._requests.connection_age_s)
        )
        return happened


@cache
def _shares(requests: Requests, pods: int) -> Floats:
    """The load of each group of Pods over the mean, in ascending order; their mean is 1.

    Connections are dealt out at random, so that a Pod has a Poisson number of them about.
    """
    if requests.balancing == "requests":
        return np.ones(1)
    mean = requests.connections / max(pods, 1)
    drawn = np.sort(np.random.default_rng(1).poisson(mean, 500 * _GROUPS)).reshape(_GROUPS, -1).mean(axis=1)
    return np.asarray(drawn / drawn.mean()) if drawn.any() else np.ones(_GROUPS)
