"""The loop that sends requests when they are due and notes when they were answered, in a thread of its own."""

import random
import sys
import time
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import gcd, lcm
from typing import Any, Generic, TypeVar

from ...access.retry_policy import backoff_s, retried
from ..request_outcome import outcome_of
from ..transport import RequestError
from .connection import Poller
from .exchange import Channel, Exchange

ContentT = TypeVar("ContentT")

_BURST = 8  # requests that are sent before answers are looked for again
_LOOK_S = 0.05  # at least so often it looks whether it is to stop

Row = tuple[float, float, float, float, float]
"""When a request was due, sent and done, in seconds from the start, its outcome, and the place of its server."""


class Order:
    """What to send in one run, and what has come of it: the loop's thread writes it, another one reads it.

    Every answer up to `complete_until_s` is in `rows`. A list is appended to by one thread and emptied by the other in
    single steps of the interpreter, so nothing is lost between them.
    """

    def __init__(self, started_at: float, offsets_s: Sequence[float] | None = None, users: int = 0) -> None:
        self.started_at, self.offsets_s, self.users = started_at, offsets_s, users
        self.rows: list[Row] = []
        self.failures: list[tuple[str, float]] = []
        self.complete_until_s = float("-inf")
        self.stopping = self.aborting = False


class Sender(Generic[ContentT]):
    """Sends prepared `contents` in turn, each to the next of the servers; all of it in the thread of `work`."""

    def __init__(
        self, poller: Poller, contents: Sequence[Sequence[ContentT]], timeout_s: float, first: int = 0
    ) -> None:
        """`contents`: for each server all requests, as it gets them. The turn begins with number `first`."""
        self._poller, self._timeout_s, self._contents, self._turn = poller, timeout_s, contents, first
        self._channels: Sequence[Channel[ContentT]] = ()
        self._lap = sys.maxsize
        self._order = Order(0.0)
        self._in_flight, self._free = 0, 0
        self._random = random.Random(first)
        self._expiring: deque[Exchange[ContentT]] = deque()
        self._retrying = False
        self._again: list[tuple[float, int, Exchange[ContentT]]] = []

    def retry(self) -> None:
        """Follow gRPC's retry policy from now on; whatever is sent again keeps its time-out."""
        self._retrying = True

    def connect(self, channels: Sequence[Channel[ContentT]]) -> None:
        """Send through these from now on, one for each server."""
        self._channels = channels
        # Where servers and requests have a common divisor, one of them would always meet the same of the others: each
        # lap then begins with another server.
        requests, servers = len(self._contents[0]), len(channels)
        self._lap = lcm(requests, servers) if gcd(requests, servers) > 1 else sys.maxsize

    def work(self, order: Order) -> None:
        """Do what is ordered, until all is answered or it is told to stop."""
        self._order, self._in_flight, self._free = order, 0, order.users
        self._expiring.clear()
        self._again.clear()
        try:
            self._loop(order)
        finally:
            self._abandon()
            order.complete_until_s = float("inf")

    def ended(self, exchange: Exchange[ContentT], failure: str) -> None:
        """Note an answer, or why there is none."""
        if exchange.ended:
            return
        exchange.attempts += 1
        if failure and self._retrying and self._wait_to_retry(exchange, failure):
            return
        exchange.ended, exchange.link = True, None
        order = self._order
        done_s = time.perf_counter() - order.started_at
        outcome = outcome_of(RequestError(failure) if failure else None)
        order.rows.append((exchange.due_s, exchange.sent_s, done_s, float(outcome), float(exchange.server)))
        if failure:
            order.failures.append((failure, exchange.due_s))
        self._in_flight -= 1
        self._free += 1

    def _wait_to_retry(self, exchange: Exchange[ContentT], failure: str) -> bool:
        """Whether a request that failed is sent again, and then when."""
        if not retried(exchange.attempts, failure):
            return False
        at = time.perf_counter() + backoff_s(exchange.attempts, self._random)
        if at >= exchange.expires_at:
            return False
        exchange.link, exchange.retried = None, False
        heappush(self._again, (at, id(exchange), exchange))
        return True

    def _send_again(self, now: float) -> float:
        """Send what has waited long enough; when the next one has."""
        while self._again and (self._again[0][0] <= now or self._again[0][2].ended):
            _, _, exchange = heappop(self._again)
            if not exchange.ended:
                self._channels[exchange.server].send(exchange)
        return self._again[0][0] if self._again else float("inf")

    def _loop(self, order: Order) -> None:
        clock, begun, offsets = time.perf_counter, order.started_at, order.offsets_s
        following, count = 0, len(offsets) if offsets is not None else 0
        self._poller.wait(0.0)  # connections that ended since the last run
        while not order.aborting:
            now = clock()
            order.complete_until_s = now - begun
            wake_at = now + _LOOK_S
            if order.stopping:
                count = following
            if offsets is None:
                if order.stopping and self._in_flight == 0:
                    return
                if not order.stopping:
                    wake_at = min(wake_at, self._replace(now, begun))
            else:
                sent_until = min(count, following + _BURST)
                while following < sent_until and begun + offsets[following] <= now:
                    self._send(offsets[following], now - begun)
                    following += 1
                    now = clock()
                if following < count:
                    wake_at = min(wake_at, begun + offsets[following])
                elif self._in_flight == 0:
                    return
            self._expire(now)
            if self._expiring:
                wake_at = min(wake_at, self._expiring[0].expires_at)
            if self._again:
                wake_at = min(wake_at, self._send_again(now))
            self._poller.wait(wake_at - clock())

    def _replace(self, now: float, begun: float) -> float:
        """Closed loop: a new request for each that has ended; when to look again."""
        if now < begun:
            return begun
        # All of them before any answer is looked for: else a slow generator would keep fewer in flight than it says.
        for _ in range(self._free):
            self._free -= 1
            at_s = time.perf_counter() - begun
            self._send(at_s, at_s)
        return now if self._free else float("inf")

    def _send(self, due_s: float, sent_s: float) -> None:
        turn, self._turn = self._turn, self._turn + 1
        number, place = turn % len(self._contents[0]), (turn + turn // self._lap) % len(self._channels)
        expires_at = self._order.started_at + sent_s + self._timeout_s
        exchange = Exchange(self._contents[place][number], due_s, sent_s, expires_at, place)
        self._expiring.append(exchange)
        self._in_flight += 1
        self._channels[place].send(exchange)

    def _expire(self, now: float) -> None:
        """Forget what has ended, and give up what has taken too long: all have the same time-out."""
        expiring = self._expiring
        while expiring and (expiring[0].ended or expiring[0].expires_at <= now):
            exchange = expiring.popleft()
            if not exchange.ended:
                link = exchange.link
                self.ended(exchange, f"DEADLINE_EXCEEDED: timed out after {self._timeout_s:g} s")
                if link is not None:
                    link.cancel(exchange)

    def _abandon(self) -> None:
        """Give up what is still under way: it belongs to no run any more."""
        for exchange in self._expiring:
            if not exchange.ended:
                exchange.ended = True
                if exchange.link is not None:
                    exchange.link.cancel(exchange)
        self._expiring.clear()


AnySender = Sender[Any]
