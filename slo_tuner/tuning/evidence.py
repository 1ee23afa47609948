"""What the trials so far tell: rates that were measured, rates to expect, and what there is no use in trying."""

from dataclasses import dataclass

from ..capacity.configuration import Configuration
from ..capacity.fit import Saturation, effective_batch, fit_service_time
from ..capacity.queue_model import ServiceTime, best_rates
from ..capacity.surrogate import Expected, Observation, expect
from ..slo.miss_curve import crossing
from .trial import Trial, TrialObjective, rate_of, rates_of

_MOST_LIMITED = 2
# Relative errors: of a complete search, of a comparison at one rate, and of a rate guessed from a saturation.
_EXACT, _COMPARED, _GUESSED = 0.015, 0.06, 0.15


@dataclass(frozen=True)
class Rated:
    """A configuration and the rate within the objective that its searches found, in requests per second."""

    configuration: Configuration
    rate_per_s: float


class TrialHistory:
    """The trials in their order, and the configurations that may still be chosen."""

    def __init__(self, choices: list[Configuration], aim: TrialObjective) -> None:
        self._aim = aim
        self.choices = choices
        self.trials: list[Trial] = []
        self.throughput_per_s = 0.0

    def add(self, trial: Trial) -> None:
        """Learn from a trial."""
        self.trials.append(trial)
        if trial.saturation is not None:
            self.throughput_per_s = max(self.throughput_per_s, trial.saturation.rate_per_s)
        if trial.configuration not in self.choices:
            self.choices.append(trial.configuration)

    def rates(self, configuration: Configuration) -> list[float]:
        """The rates that complete searches found for it, in requests per second."""
        return rates_of(configuration, self.trials)

    def rate(self, configuration: Configuration) -> float | None:
        """The lower median of its rates; None when no search found one."""
        return rate_of(configuration, self.trials)

    def best(self) -> Rated | None:
        """The configuration with the highest rate; None when the objective was kept at none.

        The highest of many single searches is partly luck: one that was searched once has to be better than one that
        was searched again, by more than a search is precise.
        """
        found = {t.configuration: self.rate(t.configuration) for t in self.trials}
        rated = [Rated(configuration, rate) for configuration, rate in found.items() if rate]
        return max(rated, key=lambda one: one.rate_per_s * self._trust(one.configuration), default=None)

    def _trust(self, configuration: Configuration) -> float:
        return 1.0 if len(self.rates(configuration)) > 1 else 1 / (1 + self._aim.precision)

    def saturated(self, configuration: Configuration) -> Trial | None:
        """The first trial that saturated it."""
        return next((t for t in self.trials if t.configuration == configuration and t.saturation is not None), None)

    @property
    def generator_limited(self) -> bool:
        """Whether the load generator, not the server, ended the searches with the highest rates.

        One may be a moment's load on its machine. So are those that ended below a rate that the server itself bounded.
        """
        clear = max((t.rate_per_s or 0.0 for t in self.trials if not t.generator_limited), default=0.0)
        limited = [t for t in self.trials if t.generator_limited and (t.rate_per_s or 0.0) >= clear]
        return len(limited) >= _MOST_LIMITED

    def is_closed(self, configuration: Configuration) -> bool:
        """Whether there is nothing more to learn: tried, or at least as large as one that the server refused."""
        for trial in self.trials:
            tried = trial.configuration
            if trial.status != "screened" and tried == configuration:
                return True
            larger = configuration.batch >= tried.batch and configuration.instances >= tried.instances
            if trial.status == "refused" and larger:
                return True
        return False

    def is_searched(self, configuration: Configuration) -> bool:
        """Whether its rate is known, or that it has none: it can't be served, or keeps the objective nowhere."""
        tried = [trial for trial in self.trials if trial.configuration == configuration]
        return any(trial.rate_per_s or trial.status in ("refused", "unmet") for trial in tried)

    def expected(self) -> Expected:
        """The rate of each of `choices`: predicted from the service time, corrected by what was measured."""
        service, outside_s = self._service()
        limit_s = max(self._aim.limit_s - outside_s, 1e-4)
        predicted = best_rates(self.choices, service, limit_s, self._aim.allowed_share)
        return expect(self.choices, predicted, [o for t in self.trials for o in self._observations(t)])

    def _service(self) -> tuple[ServiceTime, float]:
        """The fitted service time, and what a single request spends beside it, in seconds."""
        alone_s = next(t.unloaded_ms for t in self.trials if t.unloaded_ms is not None) / 1000
        service = fit_service_time([s for t in self.trials for s in saturations(t)], alone_s)
        return service, max(0.0, alone_s - (service.own + service.fixed + service.item))

    def _observations(self, trial: Trial) -> list[Observation]:
        if trial.rate_per_s:
            return [Observation(trial.configuration, trial.rate_per_s, _EXACT)]
        if trial.status == "hopeless" and trial.saturation is not None:
            return [Observation(trial.configuration, 0.9 * trial.saturation.rate_per_s, _GUESSED)]
        points = [point for point in trial.points if not point.invalid]
        if trial.status in ("worse", "unmet") and points:
            lowest = min(point.rate_per_s for point in points)
            # From misses alone the curve's slope is its prior: it says little beyond the nearest rates.
            rate = crossing(points, self._aim.objective, 0.88 * lowest, lowest)
            return [Observation(trial.configuration, rate, _COMPARED)]
        return []


def saturations(trial: Trial) -> list[Saturation]:
    """What a trial's closed loop says of the service time; none where it had none."""
    loop, tried = trial.saturation, trial.configuration
    if loop is None or loop.rate_per_s <= 0:
        return []
    guessed = effective_batch(loop.concurrency, tried.instances, tried.batch)
    batch = loop.server.batch_size if loop.server is not None else guessed
    return [Saturation(max(1.0, batch), min(tried.instances, loop.concurrency), loop.rate_per_s)]
