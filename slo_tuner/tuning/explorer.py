"""Decides what to try next, and when to stop: plain decisions over a function that measures."""

import math
from collections.abc import Callable, Sequence

from ..capacity.configuration import Configuration
from ..capacity.surrogate import Expected
from ..slo.numerals import rate_text
from .evidence import TrialHistory
from .path import Choice, Step, best_path, steps
from .space import Space
from .trial import Candidate, Trial, TrialObjective

Measure = Callable[[Candidate, float], Trial]
"""Tries a task; the second argument is the highest throughput seen so far, in requests per second."""
# A closed loop that gains less than this, twice, ends a line of the screening.
_SCREEN_GAIN = 1.05
_MOST_LEADERS = 12
_MOST_REPEATS = 2
_MOST_WINNERS = 3
_MOST_UNMET = 5
_SIMPLER = 0.001


class Explorer:
    """From a baseline to the winner: screen, try the leaders, walk the path in single changes, repeat the winner.

    A winner that loses its lead when it is searched again gives way to the next one, which is searched again too.
    """

    def __init__(self, measure: Measure, baseline: Configuration, space: Space, aim: TrialObjective) -> None:
        self._measure, self._aim, self._space = measure, aim, space
        self._baseline = baseline.normal()
        self.known = TrialHistory(list(dict.fromkeys([self._baseline, *space.configurations()])), aim)
        # A step that gained less is taken for noise; a gain is looked for down to half of that, as it is a mean over
        # what may come: often nothing, sometimes much.
        self._least_gain = aim.precision / 3

    def run(self) -> Choice | None:
        """The winner; None when no configuration keeps the objective."""
        self._try(Candidate(self._baseline, "baseline", "the configuration as it was found"))
        self._screen()
        stopped = self._leaders()
        if self.known.best() is None:
            return None
        path = self._walk()
        for _ in range(_MOST_WINNERS):
            if not self._is_to_be_repeated(path[-1].configuration):
                break
            self._repeat(path[-1])
            path = self._walk()
        rates = self.known.rates(path[-1].configuration)
        return Choice(path, tuple(rates), stopped, self.known.generator_limited)

    def _is_to_be_repeated(self, winner: Configuration) -> bool:
        searched_again = len(self.known.rates(winner)) > 1
        return winner != self._baseline and not searched_again and not self.known.generator_limited

    def _try(self, task: Candidate) -> Trial:
        trial = self._measure(task, self.known.throughput_per_s)
        self.known.add(trial)
        return trial

    def _screen(self) -> None:
        """How throughput grows with the batch, and then with the instances."""
        # More requests than arrive within the limit can't be in a batch that keeps it.
        useful = 2 * self.known.throughput_per_s * self._aim.limit_s
        batches = [b for b in self._space.batches if b <= useful] or [min(self._space.batches)]
        fewest = min(self._space.instances)
        batch = self._line("batch", [Configuration(batch=b, instances=fewest) for b in _every_second(batches)]).batch
        self._line("instances", [Configuration(batch=batch, instances=n) for n in self._space.instances])

    def _line(self, name: str, configurations: Sequence[Configuration]) -> Configuration:
        """Saturate one after another until the throughput stops growing; the one with the highest."""
        best, best_rate, without_gain = configurations[0], 0.0, 0
        for configuration in configurations:
            task = Candidate(configuration, "screen", f"how throughput grows with {name}")
            trial = self.known.saturated(configuration) or self._try(task)
            if trial.saturation is None:
                break
            rate = trial.saturation.rate_per_s
            without_gain = 0 if rate > best_rate * _SCREEN_GAIN else without_gain + 1
            if rate > best_rate:
                best, best_rate = configuration, rate
            if without_gain == 2:
                break
        return best

    def _leaders(self) -> str:
        """Try the configuration with the highest expected gain, again and again; why that ended."""
        for _ in range(_MOST_LEADERS):
            if self.known.generator_limited:
                return "the load generator is too weak to tell the next configurations apart"
            open_ = [i for i, c in enumerate(self.known.choices) if not self.known.is_closed(c)]
            if not open_:
                return "every configuration was tried"
            expected, best = self.known.expected(), self.known.best()
            rate = best.rate_per_s if best is not None else None
            if rate is None and sum(t.status == "unmet" for t in self.known.trials) >= _MOST_UNMET:
                return f"{_MOST_UNMET} configurations, the most promising ones among them, keep the objective nowhere"
            gains = expected.gain_over(rate) if rate else expected.log_rate
            index = max(open_, key=lambda i: float(gains[i]) - _complexity(self.known.choices[i]))
            if rate and gains[index] < self._least_gain / 2:
                return (
                    f"the next configuration promises a gain of {100 * gains[index]:.2f} % on average, less than "
                    f"half of the {100 * self._least_gain:.1f} % that can be told from noise"
                )
            self._try(self._leader(index, expected, rate, float(gains[index])))
        return f"{_MOST_LEADERS} leaders were tried"

    def _leader(self, index: int, expected: Expected, rate: float | None, gain: float) -> Candidate:
        guess = math.exp(float(expected.log_rate[index]))
        reason = f"expected {rate_text(guess)} requests/s (± {100 * float(expected.spread[index]):.0f} %)"
        if rate:
            reason += f", a gain of {100 * gain:.1f} % over the best so far on average"
        return Candidate(self.known.choices[index], "leader", reason, guess, 0.97 * guess, rate)

    def _walk(self) -> tuple[Step, ...]:
        """Measure what lies between; a stop on the path that is better than the winner becomes the winner."""
        while True:
            best = self.known.best()
            assert best is not None
            path = best_path(self._baseline, best.configuration, self.known)
            for stop in path[1:-1]:
                if not self.known.is_searched(stop) and not self.known.generator_limited:
                    self._try(Candidate(stop, "path", "a single change on the path", start_per_s=best.rate_per_s))
            if self.known.best() == best:
                return steps(path, self.known, self._least_gain)

    def _repeat(self, last: Step) -> None:
        """Search the winner's rate again, once more where the two are further apart than a search is precise."""
        for _ in range(_MOST_REPEATS):
            self._try(Candidate(last.configuration, "repeat", "the winner again", last.rate_per_s, last.rate_per_s))
            rates = self.known.rates(last.configuration)
            if max(rates) <= min(rates) * (1 + self._aim.precision):
                return


def _complexity(configuration: Configuration) -> float:
    """What a delay or a preferred batch has to promise more, as a share: of equals, the simpler one is tried."""
    return _SIMPLER * ((configuration.delay_us > 0) + bool(configuration.preferred))


def _every_second(values: Sequence[int]) -> list[int]:
    """Every second value, and the last."""
    return sorted({*values[::2], values[-1]})
