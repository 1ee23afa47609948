"""Waits until the machine is quiet, and measures again what was disturbed: for a bounded time a point and a run."""

from collections.abc import Callable
from time import perf_counter
from typing import Protocol, TypeVar

from ..results.schema import Disturbance

MOST_REPEATS = 2
_LEAST_WAIT_S = 1.0
_SHORTER = 4.0
_LOOK_S = 1.0


class Measured(Protocol):
    """What was measured and watched."""

    @property
    def disturbance(self) -> Disturbance | None: ...
    @property
    def disturbed(self) -> bool: ...


M = TypeVar("M", bound=Measured)
Look = Callable[[float], Disturbance | None]


class Patience:
    """Waits for a machine to be quiet, for a bounded time a point and a run, and measures again what was disturbed.

    A wait in vain makes the next one shorter, one that ended well makes it long again: beside a program that never
    ends, a run loses 40 s or so, not 30 s a point.
    """

    def __init__(self, say: Callable[[str], None], point_s: float, run_s: float) -> None:
        """At most `point_s` seconds a wait, and `run_s` for all waits and what was measured again after them."""
        self._say, self._point_s, self._left_s, self._next_s = say, point_s, run_s, point_s

    def measured(
        self, look: Look, measure: Callable[[], M], matters: Callable[[M], bool], replaced: Callable[[M], None]
    ) -> M:
        """Measure, at most twice again while it is disturbed, it `matters`, and the machine gets quiet.

        `replaced` is called with what was measured again, and counts for nothing.
        """
        return self.improved(look, measure(), measure, matters, replaced)

    def improved(
        self,
        look: Look,
        found: M,
        measure: Callable[[], M],
        matters: Callable[[M], bool],
        replaced: Callable[[M], None],
    ) -> M:
        """The same for what was measured once already."""
        for _ in range(MOST_REPEATS):
            if not found.disturbed or not matters(found) or not self._quiet(look, found):
                break
            replaced(found)
            begun = perf_counter()
            found = measure()
            self._left_s -= perf_counter() - begun
        return found

    def _quiet(self, look: Look, found: Measured) -> bool:
        """Whether the machine is quiet within the time that there is; says that it waits, and how it ended."""
        wait_s = min(self._next_s, self._left_s)
        if wait_s < _LEAST_WAIT_S:
            return False
        begun, said = perf_counter(), False
        while True:
            seen = look(_LOOK_S)
            waited_s = perf_counter() - begun
            if seen is None or not seen.disturbed:
                self._say(f"  measuring again: {found.disturbance}, and the machine is quiet now")
                self._next_s = self._point_s
                break
            if waited_s >= wait_s:
                if said:
                    self._say(f"  not quiet after {waited_s:.0f} s: it stays as it is, marked as disturbed")
                self._next_s = max(_LEAST_WAIT_S, self._next_s / _SHORTER)
                break
            if not said:
                self._say(
                    f"  waiting for the machine to be quiet: {seen} (up to {wait_s:.0f} s; this run waits and "
                    f"measures again for {self._left_s:.0f} s more at most)"
                )
                said = True
        self._left_s -= waited_s
        return seen is None or not seen.disturbed
