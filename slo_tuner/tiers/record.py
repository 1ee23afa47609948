"""The tiers' part of results.json: both models under the same bursts, with their tiers and without."""

from typing import Literal

from ..results.record import Record
from ..results.schema import Disturbance, Results
from ..slo.objective import Objective


class Window(Record):
    """What became of one model's requests that were due in [start_s, end_s) of a run.

    A request is answered, shed (the queue was full), timed out in the queue, or failed otherwise. `late`, and the
    objective's quantile, are of those that the server took: answered or failed, counted from when they were due.
    """

    start_s: float
    end_s: float
    due: int
    answered: int
    shed: int
    timed_out: int
    failed: int
    late: int
    quantile_ms: float | None

    @property
    def refused(self) -> int:
        """Requests that a queue policy ended."""
        return self.shed + self.timed_out

    def kept(self, objective: Objective) -> bool:
        """Whether the requests that the server took kept the objective; true where it took none.

        A refusal is a queue policy's doing and counts neither as late nor as failed.
        """
        taken = self.due - self.refused
        return taken <= 0 or objective.judge(taken, self.late, self.failed).kept


class ModelRun(Record):
    """One model in one run: its offered rates, and what came of them by phase (steady, burst, steady) and over time."""

    rates_per_s: tuple[float, float, float]
    phases: tuple[Window, Window, Window]
    windows: tuple[Window, ...]
    error_reasons: dict[str, int]
    send_delay_p95_ms: float
    disturbance: Disturbance | None = None
    rows_file: str

    @property
    def disturbed(self) -> bool:
        """Whether so much of the machine was taken by others that the run shows a smaller one."""
        return self.disturbance is not None and self.disturbance.disturbed


class ScenarioResult(Record):
    """One scenario: both models with their tiers, and the control run without; tier 1 first."""

    name: str
    title: str
    tiers: tuple[ModelRun, ModelRun]
    control: tuple[ModelRun, ModelRun]


class TieredModel(Record):
    """A model as it was built, and what it serves alone: its capacity is the throughput of a closed loop."""

    model: str
    tier: int
    objective: Objective
    objective_source: str
    unloaded_ms: float
    capacity_per_s: float
    server_config: dict[str, object]

    def keeps(self, window: Window) -> bool:
        """Whether it keeps its objective in a window. Only tier 2 may be refused: of tier 1 that is a failure."""
        if self.tier != 1 or not window.due:
            return window.kept(self.objective)
        refused = window.refused
        return self.objective.judge(window.due, window.late + refused, window.failed + refused).kept


class Tiers(Record):
    """Two models of different tiers on one server; `phase_s` is the length of each of the three phases."""

    models: tuple[TieredModel, TieredModel]
    phase_s: float
    scenarios: tuple[ScenarioResult, ...] = ()

    @property
    def disturbed_runs(self) -> list[ModelRun]:
        """Tier 1's part of each disturbed run, the one that most was taken from first."""
        played = [run[0] for scenario in self.scenarios for run in (scenario.tiers, scenario.control)]
        taken = [(run.disturbance.taken_cores, run) for run in played if run.disturbance and run.disturbed]
        return [run for _, run in sorted(taken, key=lambda one: -one[0])]


class TierResults(Results):
    """results.json of `slo-tuner tiers`."""

    kind: Literal["tiers"] = "tiers"
    tiers: Tiers
