"""Tunes one model on one server: trials in turn, results.json after each, the winner's files at the end."""

from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import GeneratorError, ServerError

from ..capacity.configuration import Configuration
from ..measurement.meter import Meter
from ..session.session import Session
from ..slo.numerals import rate_text
from ..slo.objective import ChosenObjective, choose_objective
from ..triton.restore import restored_server, unload_ensembles_of
from .explorer import Explorer
from .make_results import RunContext, SearchOutcome, make_results
from .options import TuneOptions
from .record import TuningResults
from .resume import check_resumed_model, check_resumed_space, read_earlier
from .space import Space
from .trial import Candidate, Trial, TrialObjective, run_trial
from .triton_config import as_dict, read_configuration, with_configuration
from .triton_system import TritonSystem


class Tune:
    """One run; with `--resume` the trials of an earlier one are taken as they are."""

    def __init__(self, session: Session, options: TuneOptions) -> None:
        self._session, self._options, self._progress = session, options, session.progress
        self._earlier = read_earlier(options, session.header, session.results_file)
        self._trials: list[Trial] = []
        self._megabytes = 0.0

    def run(self) -> TuningResults:
        """The results as written; ServerError or GeneratorError when server or load was lost, with all trials kept."""
        model, control, say = self._options.model, self._session.control, self._progress.say
        control.check_explicit()
        try:
            with restored_server(control, say) as found:
                self._session.load_if_needed(model)
                unload_ensembles_of(control, model, found, say)
                system = TritonSystem(control, model, self._open_meter, self._progress)
                try:
                    return self._tune(system)
                finally:
                    system.close()
        except (ServerError, GeneratorError):
            if self._trials:
                say(f"{len(self._trials)} trials are kept in {self._session.results_file}: go on with --resume")
            raise

    def _tune(self, system: TritonSystem) -> TuningResults:
        baseline = read_configuration(system.as_found)
        chosen = self._objective(system, baseline)
        objective, effort = chosen.objective, self._options.measure.effort
        system.objective = objective
        aim = TrialObjective(objective, effort.precision, effort.repeats)
        space = self._options.space(baseline, max(1, system.as_found.max_batch_size), objective.limit_ms)
        check_resumed_space(self._earlier, space, self._session.results_file)
        found = as_dict(with_configuration(system.as_found, baseline))
        check_resumed_model(self._earlier, found, self._session.results_file)
        self._progress.heading(
            self._options.model,
            f"{len(space.configurations())} configurations within {objective}; found with {baseline}",
        )
        context = self._context(system.as_found, space, chosen)

        def measure(task: Candidate, known_per_s: float) -> Trial:
            if (replayed := self._replayed(task)) is not None:
                # Not written: until the first new trial, the file knows more than this run does.
                self._trials.append(replayed)
                return replayed
            trial = self._live(system, task, aim, known_per_s)
            self._trials.append(trial)
            self._write(context)
            return trial

        explorer = Explorer(measure, baseline, space, aim)
        return self._write(context, SearchOutcome(explorer.run(), explorer.known))

    def _live(self, system: TritonSystem, task: Candidate, aim: TrialObjective, known_per_s: float) -> Trial:
        self._progress.heading(str(task.configuration), f"{task.role}, {task.reason}")
        trial = run_trial(system, task, len(self._trials) + 1, aim, known_per_s)
        outcome = f"{rate_text(trial.rate_per_s)} requests/s" if trial.rate_per_s else trial.status
        self._progress.say(f"  {outcome}{': ' + trial.message if trial.message else ''}")
        return trial

    def _replayed(self, task: Candidate) -> Trial | None:
        """The next of the earlier run's trials, while the decisions are the same."""
        if self._earlier is None or len(self._trials) >= len(self._earlier.tuning.trials):
            return None
        trial = self._earlier.tuning.trials[len(self._trials)]
        if (trial.configuration, trial.role) != (task.configuration, task.role):
            return None
        self._progress.say(f"{task.configuration}: {task.role}, as measured before")
        return trial

    def _objective(self, system: TritonSystem, baseline: Configuration) -> ChosenObjective:
        asked = self._options.measure.objective
        if self._earlier is not None:
            return ChosenObjective(self._earlier.objective, self._earlier.objective_source)
        if asked is not None:
            return ChosenObjective(asked, "asked for")
        system.configure(baseline)
        return choose_objective(None, self._options.model, system.closed(1).latency.p50_ms)

    def _open_meter(self) -> Meter:
        number = len(self._trials) + 1
        meter = self._session.meter(self._options.model, f"requests-{number:02}", seed=number)
        self._megabytes = meter.megabytes
        return meter

    def _context(self, as_found: ModelConfig, space: Space, chosen: ChosenObjective) -> RunContext:
        # Resumed trials keep what they were measured with.
        header = self._earlier.run if self._earlier is not None else self._session.header
        return RunContext(
            model=self._options.model,
            as_found=as_found,
            space=space,
            goal=self._options.goal,
            chosen=chosen,
            effort=self._options.measure.effort_name,
            header=header.model_copy(update={"command": self._session.header.command}),
        )

    def _write(self, context: RunContext, finished: SearchOutcome | None = None) -> TuningResults:
        wall_s = self._session.wall_s + (self._earlier.wall_s if self._earlier is not None else 0.0)
        results = make_results(context, self._trials, finished, self._megabytes, wall_s)
        results = results.model_copy(update={"requests": dict(self._session.requests)})
        self._session.write(results)
        return results
