"""A number of units (places, bytes) that requests share; who finds too few of them waits in turn."""

import asyncio
import time
from collections import deque

from .errors import RETRY_S, RestError


class Share:
    """Units that one request holds until it gives them back."""

    def __init__(self, budget: "Budget", units: int) -> None:
        self._budget, self._units = budget, units

    def grow(self, units: int) -> None:
        """Hold `units` in all, where fewer were thought to be enough; RestError 503 when others hold them.

        It never waits: requests that hold some and wait for more could wait for one another.
        """
        more = min(units, self._budget.total) - self._units
        if more > 0:
            self._budget.take_now(more)
            self._units += more

    def give_back(self) -> None:
        """Give everything back; a second time does nothing."""
        units, self._units = self._units, 0
        self._budget.give(units)


class Budget:
    """`total` units, given in the order of asking. `what` names them in the refusal of one request too many."""

    def __init__(self, total: int, most_waiting: int, what: str) -> None:
        self.total, self._free, self._most, self._what = total, total, most_waiting, what
        self._queue: deque[tuple[int, asyncio.Future[None], float]] = deque()
        self._given_at = time.monotonic()

    @property
    def is_held(self) -> bool:
        """Whether somebody holds something."""
        return self._free != self.total

    @property
    def is_short(self) -> bool:
        """Whether somebody waits."""
        return bool(self._queue)

    @property
    def waited_s(self) -> float:
        """Seconds since somebody waits and nobody was given anything; 0 when nobody waits."""
        return time.monotonic() - max(self._given_at, self._queue[0][2]) if self._queue else 0.0

    async def take(self, units: int) -> Share:
        """A share of that many units, or of all where there are fewer; RestError 503 when too many wait already."""
        units = min(units, self.total)
        if not units or (not self._queue and units <= self._free):
            self._free -= units
            return Share(self, units)
        if len(self._queue) >= self._most:
            raise RestError(503, f"{self._what}, and {self._most} requests wait already", retry_s=RETRY_S)
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((units, turn, time.monotonic()))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give(units)
            self._serve()
            raise
        return Share(self, units)

    def take_now(self, units: int) -> None:
        """Take that many units; RestError 503 when they are not there, or others wait for them."""
        if self._queue or units > self._free:
            raise RestError(503, f"{self._what}", retry_s=RETRY_S)
        self._free -= units

    def give(self, units: int) -> None:
        """Put that many units back."""
        self._free += units
        self._serve()

    def _serve(self) -> None:
        while self._queue and (self._queue[0][1].done() or self._queue[0][0] <= self._free):
            units, turn, _ = self._queue.popleft()
            if not turn.done():
                self._free -= units
                self._given_at = time.monotonic()
                turn.set_result(None)
