"""Tunes one model on one server: trials in turn, results.json after each, the winner's files at the end."""

import datetime
import math
import time
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..control import Control
from ..crew import Crew
from ..environment import describe_environment
from ..errors import GeneratorError, ServerError, UsageError
from ..measure import Endpoint, Meter
from ..objective import Objective, relative_objective
from ..progress import Progress
from ..results import ObjectiveRecord, read_results, write_results
from .explore import Explorer
from .left_as_found import left_as_found
from .outcome import Finished, Subject, make_results
from .record import TuningResults
from .request import TuneRequest
from .space import Configuration, Space
from .trial import Aim, Task, Trial, run_trial
from .triton_bench import TritonBench
from .triton_config import read_configuration


@dataclass(frozen=True)
class Server:
    """The server that is tuned on: how it is told and asked things, where the load goes, and who makes the load.

    `crew` None: this process does.
    """

    control: Control
    endpoint: Endpoint
    crew: Crew | None = None


class Tune:
    """One run; with `--resume` the trials of an earlier one are taken as they are."""

    def __init__(self, asked: TuneRequest, server: Server, command: str, progress: Progress) -> None:
        self._asked, self._server, self._progress = asked, server, progress
        self._command = command
        self._output = asked.request.output
        self._started = time.monotonic()
        self._created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._environment = describe_environment(
            server.control.server(), len(server.crew.workers) if server.crew else 1
        )
        self._earlier = self._read_earlier()
        self._trials: list[Trial] = []
        self._megabytes = 0.0

    def run(self) -> TuningResults:
        """The results as written; ServerError or GeneratorError when server or load was lost, with all trials kept."""
        model = self._asked.model
        try:
            with left_as_found(self._server.control, model, self._progress.say):
                bench = TritonBench(self._server.control, model, self._open_meter, self._progress)
                try:
                    return self._tune(bench)
                finally:
                    bench.close()
        except (ServerError, GeneratorError):
            if self._trials:
                self._progress.say(f"{len(self._trials)} trials are kept in {self._results_file}: go on with --resume")
            raise

    def _tune(self, bench: TritonBench) -> TuningResults:
        baseline = read_configuration(bench.as_found)
        objective = self._objective(bench, baseline)
        chosen = bench.objective = objective.objective()
        effort = self._asked.request.effort
        aim = Aim(chosen.limit_ms / 1000, chosen.miss_share, effort.precision, effort.repeats)
        space = self._asked.space(baseline, max(1, bench.as_found.max_batch_size), chosen.limit_ms)
        self._progress.say(
            f"[bold]{self._asked.model}[/]: {len(space.configurations())} configurations within {chosen}; "
            f"found with {baseline}"
        )
        subject = self._subject(bench.as_found, space, objective)

        def measure(task: Task, known_per_s: float) -> Trial:
            trial = self._replayed(task) or self._live(bench, task, aim, known_per_s)
            self._trials.append(trial)
            self._write(subject)
            return trial

        explorer = Explorer(measure, baseline, space, aim)
        return self._write(subject, Finished(explorer.run(), explorer.known))

    def _live(self, bench: TritonBench, task: Task, aim: Aim, known_per_s: float) -> Trial:
        self._progress.say(f"[bold]{task.configuration}[/]: {task.role}, {task.reason}")
        trial = run_trial(bench, task, len(self._trials) + 1, aim, known_per_s)
        outcome = f"{trial.rate_per_s:.1f} requests/s" if trial.rate_per_s else trial.outcome
        self._progress.say(f"  {outcome}{': ' + trial.said if trial.said else ''}")
        return trial

    def _replayed(self, task: Task) -> Trial | None:
        """The next of the earlier run's trials, while the decisions are the same."""
        if self._earlier is None or len(self._trials) >= len(self._earlier.tuning.trials):
            return None
        trial = self._earlier.tuning.trials[len(self._trials)]
        if (trial.configuration, trial.role) != (task.configuration, task.role):
            return None
        self._progress.say(f"{task.configuration}: {task.role}, as measured before")
        return trial

    def _objective(self, bench: TritonBench, baseline: Configuration) -> ObjectiveRecord:
        if self._earlier is not None:
            return self._earlier.objective
        asked, chosen = self._asked.request.objective, "asked for"
        if asked is None:
            bench.configure(baseline)
            alone_ms = bench.closed(1).latency.p50_ms
            asked = relative_objective(alone_ms)
            chosen = f"4 times the unloaded latency of {self._asked.model} ({alone_ms:.0f} ms), rounded up"
        return ObjectiveRecord.of(asked, chosen)

    def _open_meter(self) -> Meter:
        number = len(self._trials) + 1
        rows = self._output / f"requests-{number:02}"
        server, asked = self._server, self._asked
        effort, crew = asked.request.effort, server.crew
        meter = Meter(server.control, server.endpoint, asked.model, effort, rows, seed=number, crew=crew)
        self._megabytes = meter.payload.megabytes
        return meter

    def _subject(self, as_found: ModelConfig, space: Space, objective: ObjectiveRecord) -> Subject:
        return Subject(
            model=self._asked.model,
            as_found=as_found,
            space=space,
            wish=self._asked.wish,
            objective=objective,
            title=self._asked.request.title,
            created=self._created,
            command=self._command,
            protocol=self._server.endpoint.protocol,
            environment=self._environment,
        )

    def _write(self, subject: Subject, finished: Finished | None = None) -> TuningResults:
        wall_s = time.monotonic() - self._started + (self._earlier.wall_s if self._earlier is not None else 0.0)
        results = make_results(subject, self._trials, finished, self._megabytes, wall_s)
        write_results(results, self._results_file)
        return results

    @property
    def _results_file(self) -> Path:
        return self._output / "results.json"

    def _read_earlier(self) -> TuningResults | None:
        if not self._asked.resume:
            return None
        earlier = read_results(self._results_file, TuningResults)
        asked = self._asked.request.objective
        if earlier.tuning.model != self._asked.model:
            raise UsageError("resume", str(self._results_file), f"it is of the model {earlier.tuning.model!r}")
        if asked is not None and not _same(asked, earlier.objective.objective()):
            raise UsageError("resume", str(self._results_file), f"its objective is {earlier.objective.objective()}")
        return earlier


def _same(one: Objective, other: Objective) -> bool:
    return math.isclose(one.limit_ms, other.limit_ms) and (one.quantile, one.error_share) == (
        other.quantile,
        other.error_share,
    )
