"""Time that passes at once: what waits is woken in order, with a clock that jumps from one moment to the next.

For code that asks `time.perf_counter()` and waits by `gevent.sleep()`. A minute of load takes as long as its requests
take to compute, and is the same on a busy machine.
"""

import heapq
import itertools
from types import ModuleType
from typing import Any

import gevent
import pytest
from gevent.event import Event


class VirtualTime:
    """A clock in seconds, which stands while any greenlet has something to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._waiting: list[tuple[float, int, Event]] = []
        self._number = itertools.count()
        self._driver: gevent.Greenlet | None = None

    def perf_counter(self) -> float:
        """Seconds, as `time.perf_counter`."""
        return self.now

    def sleep(self, seconds: float = 0) -> None:
        """Wait, as `gevent.sleep`."""
        woken = Event()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._number), woken))
        if self._driver is None or self._driver.dead:
            self._driver = gevent.spawn(self._drive)
        woken.wait()

    def _drive(self) -> None:
        while self._waiting:
            gevent.idle()
            moment, _, woken = heapq.heappop(self._waiting)
            self.now = max(self.now, moment)
            woken.set()
            gevent.sleep(0)

    def install(self, patch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Have these modules, which import `time` and `gevent`, live in this time; Locust itself stays in real time."""
        for module in modules:
            for name, own in (("time", {"perf_counter": self.perf_counter}), ("gevent", {"sleep": self.sleep})):
                if hasattr(module, name):
                    patch.setattr(module, name, _Replaced(getattr(module, name), own))


class _Replaced:
    """A module with other functions for some of its own."""

    def __init__(self, module: Any, own: dict[str, Any]) -> None:
        self.__dict__ = {**vars(module), **own}
