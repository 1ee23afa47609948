"""How requests are shared out to Pods, and what waits in them."""

from dataclasses import dataclass, replace

import numpy as np

from ..capacity.queue_model import Floats
from .pod_table import PodTable, Step
from .settings import Requests

_GROUPS = 8


@dataclass(frozen=True)
class Load:
    """The Pods in groups of equal size, each with its share of the load over the mean, and what waits in its Pods.

    Where each request goes to the next Pod there is one group. Where a Service deals out connections, a Pod has as
    many as chance gives it, and a new Pod gets none before old ones end: `joined` is how many Pods the connections
    are spread over.
    """

    requests: Requests
    table: PodTable
    pods: int
    joined: float
    shares: Floats
    states: tuple[Floats, ...]

    @classmethod
    def of(cls, requests: Requests, pods: int, table: PodTable) -> "Load":
        """Idle Pods over which all connections are spread."""
        shares = _shares(requests, pods)
        return cls(requests, table, pods, float(pods), shares, tuple(table.idle() for _ in shares))

    def resized(self, pods: int) -> "Load":
        """With another number of Pods: new ones are idle; those that end serve what waits in them, and are left out."""
        if pods == self.pods:
            return self
        states = self.states
        joined = min(self.joined, float(pods))
        if self.pods == 0:
            # All connections are made anew.
            states, joined = tuple(self.table.idle() for _ in states), float(pods)
        elif pods > self.pods and self.requests.balancing == "requests":
            old = self.pods / pods
            states = tuple(old * state + (1 - old) * self.table.idle() for state in states)
        return replace(self, pods=pods, joined=joined, states=states, shares=_shares(self.requests, pods))

    def advanced(self, rate_per_s: float) -> tuple["Load", Step]:
        """After a step with a rate of all requests, and what happened, as means over the requests."""
        if len(self.states) == 1:
            state, happened = self.table.advance(self.states[0], rate_per_s / self.pods)
            # Not `replace`, which takes as long as the step itself.
            return Load(self.requests, self.table, self.pods, self.joined, self.shares, (state,)), happened
        each = rate_per_s / max(self.joined, 1e-9)
        moved = [self.table.advance(state, each * share) for state, share in zip(self.states, self.shares, strict=True)]
        weights = self.shares / self.shares.sum()
        of_requests = np.array([[step.late, step.refused, step.wait_s] for _, step in moved]) * weights[:, None]
        late, refused, wait = of_requests.sum(axis=0).tolist()
        # Pods that have no connection yet are not busy.
        busy = float(np.mean([step.busy for _, step in moved])) * self.joined / self.pods
        part = 1 - np.exp(-self.table.step_s / self.requests.connection_age_s)
        joined = self.joined + (self.pods - self.joined) * part
        return replace(self, states=tuple(state for state, _ in moved), joined=joined), Step(late, refused, wait, busy)


def _shares(requests: Requests, pods: int) -> Floats:
    """The load of each group of Pods over the mean, in ascending order; their mean is 1.

    Connections are dealt out at random, so that a Pod has a Poisson number of them about.
    """
    if requests.balancing == "requests":
        return np.ones(1)
    mean = requests.connections / max(pods, 1)
    drawn = np.sort(np.random.default_rng(1).poisson(mean, 500 * _GROUPS)).reshape(_GROUPS, -1).mean(axis=1)
    return np.asarray(drawn / drawn.mean()) if drawn.any() else np.ones(_GROUPS)
