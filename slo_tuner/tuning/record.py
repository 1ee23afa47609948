"""The tuner's part of results.json: every trial, the path to the winner, and what follows from its rate."""

from typing import Literal

from ..capacity.configuration import Configuration
from ..results.record import Record
from ..results.schema import Results
from .path import Step
from .space import Space
from .trial import Trial


class Expectation(Record):
    """What the model of capacity, corrected by all measurements, says of a configuration in the end."""

    configuration: Configuration
    rate_per_s: float
    spread: float


class Deployment(Record):
    """What the winner's rate means for a deployment; dollars and replicas only where they were asked for."""

    per_pod_per_s: float
    total_rate_per_s: float | None = None
    replicas: int | None = None
    headroom: float | None = None
    zones: int | None = None
    machine: str | None = None
    usd_per_hour: float | None = None
    prices_as_of: str | None = None
    usd_per_million: float | None = None
    baseline_usd_per_million: float | None = None


class GeneratorNeed(Record):
    """How many processes the load generator needs for `rate_per_s` at `cpu_ms` a request."""

    rate_per_s: float
    cpu_ms: float
    processes: int


class Tuning(Record):
    """The tuning of one model. `path` is empty until it is finished, or when nothing keeps the objective."""

    model: str
    space: Space
    effort: str = ""
    trials: tuple[Trial, ...]
    path: tuple[Step, ...] = ()
    rates_per_s: tuple[float, ...] = ()
    stopped: str = ""
    surface: tuple[Expectation, ...] = ()
    deployment: Deployment | None = None
    generator: GeneratorNeed | None = None

    @property
    def points(self) -> int:
        """Closed and open loops that were run."""
        return sum(trial.measured_points for trial in self.trials)

    @property
    def noise(self) -> float:
        """How far the repeated rates of the winner lie apart, as a share."""
        return max(self.rates_per_s) / min(self.rates_per_s) - 1 if self.rates_per_s else 0.0


class TuningResults(Results):
    """results.json of `slo-tuner tune`."""

    kind: Literal["tuning"] = "tuning"
    tuning: Tuning
