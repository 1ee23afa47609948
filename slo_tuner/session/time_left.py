"""How long a run of several steps may still take: first a guess, then what the finished steps took."""

import time
from collections.abc import Callable


class TimeLeft:
    """Counts steps that take about as long as one another; times in seconds."""

    def __init__(self, steps: int, guess_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`guess_s` is what one step takes before any is finished."""
        self._steps, self._guess_s, self._clock = steps, guess_s, clock
        self._done, self._took_s, self._begun = 0, 0.0, clock()

    @property
    def number(self) -> str:
        """The present step as people count: `2 of 4`."""
        return f"{min(self._done + 1, self._steps)} of {self._steps}"

    def finish_step(self) -> None:
        """The present step is done; the next one begins."""
        now = self._clock()
        self._took_s, self._done, self._begun = self._took_s + now - self._begun, self._done + 1, now

    def left_s(self) -> float:
        """Seconds until the end, the present step's rest included; never less than a twentieth of a step."""
        if self._done >= self._steps:
            return 0.0
        step_s = self._took_s / self._done if self._done else self._guess_s
        rest_s = max(step_s - (self._clock() - self._begun), step_s / 20)
        return rest_s + step_s * (self._steps - self._done - 1)

    def __str__(self) -> str:
        left_s = self.left_s()
        return f"about {left_s / 60:.0f} min left" if left_s >= 90 else f"about {max(5, 5 * round(left_s / 5))} s left"
