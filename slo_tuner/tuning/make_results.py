"""Makes results.json of what a tuning has found so far."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..results.schema import ModelResult, RunHeader, result_disturbed
from ..slo.objective import ChosenObjective
from ..slo.rate_search import is_generator_limited
from .deployment import DeploymentGoal, deploy
from .evidence import TrialHistory
from .path import Choice
from .record import Expectation, Tuning, TuningResults
from .required_workers import generator_need
from .space import Space
from .trial import Trial
from .triton_config import as_dict, read_configuration, with_configuration


@dataclass(frozen=True)
class RunContext:
    """What is tuned, for what, and where: known before the first trial, but for the seconds."""

    model: str
    as_found: ModelConfig
    space: Space
    goal: DeploymentGoal
    chosen: ChosenObjective
    header: RunHeader
    effort: str


@dataclass(frozen=True)
class SearchOutcome:
    """What the explorer came to, and all that it knows."""

    choice: Choice | None
    known: TrialHistory


def make_results(
    context: RunContext, trials: Sequence[Trial], finished: SearchOutcome | None, megabytes: float, wall_s: float
) -> TuningResults:
    """The results of the trials; incomplete without `finished`. The models are the baseline and the winner."""
    choice = finished.choice if finished else None
    models = [_model_result(context, f"{context.model} as found", [t for t in trials if t.role == "baseline"], None)]
    if choice is not None and len(choice.path) > 1:
        of_winner = [t for t in trials if t.configuration == choice.winner and t.rate_per_s]
        models.append(_model_result(context, f"{context.model} tuned", of_winner, choice.rate_per_s))
    title = context.header.title or f"{context.model}: tuned for {context.chosen.objective}"
    return TuningResults(
        run=context.header.model_copy(update={"title": title}),
        objective=context.chosen.objective,
        objective_source=context.chosen.source,
        request_megabytes={model.model: megabytes for model in models},
        models=tuple(models),
        complete=finished is not None,
        wall_s=wall_s,
        tuning=_tuning(context, trials, finished),
    )


def _tuning(context: RunContext, trials: Sequence[Trial], finished: SearchOutcome | None) -> Tuning:
    tuning = Tuning(
        model=context.model,
        space=context.space,
        effort=context.effort,
        trials=tuple(trials),
        generator=generator_need(trials),
    )
    if finished is None:
        return tuning
    choice = finished.choice
    if choice is None:
        stopped = "no configuration that was tried keeps the objective"
        if invalid := sum(trial.status == "invalid" for trial in trials):
            stopped += f"; the load generator was too weak to tell for {invalid} of them"
        return tuning.model_copy(update={"stopped": stopped})
    return tuning.model_copy(
        update={
            "path": choice.path,
            "rates_per_s": choice.rates,
            "stopped": choice.stopped,
            "surface": _surface(finished.known),
            "deployment": deploy(choice.rate_per_s, choice.path[0].rate_per_s, context.goal),
        }
    )


def _surface(known: TrialHistory) -> tuple[Expectation, ...]:
    expected = known.expected()
    rows = zip(known.choices, np.exp(expected.log_rate), expected.spread, strict=True)
    return tuple(Expectation(configuration=c, rate_per_s=float(r), spread=float(s)) for c, r, s in rows)


def _model_result(context: RunContext, name: str, trials: Sequence[Trial], rate: float | None) -> ModelResult:
    """The searches of one configuration as one model of the ladder; `rate` None takes the first search's."""
    found = next((t for t in trials if rate is None or t.rate_per_s == rate), None)
    points = tuple(point for trial in trials for point in trial.points)
    tried = (t.configuration for t in (found, *trials) if t is not None)
    configuration = next(tried, read_configuration(context.as_found))
    return ModelResult(
        model=name,
        rate_per_s=found.rate_per_s if found is not None else None,
        missed_per_s=found.missed_per_s if found is not None else None,
        lowest_tried_per_s=found.lowest_tried_per_s if found is not None else None,
        generator_limited=is_generator_limited(found.rate_per_s if found is not None else None, points),
        disturbed=_disturbed(trials),
        unloaded_ms=next((t.unloaded_ms for t in trials if t.unloaded_ms is not None), None),
        load_s=found.load_s if found is not None else None,
        points=points,
        server_config=as_dict(with_configuration(context.as_found, configuration)),
    )


def _disturbed(trials: Sequence[Trial]) -> str:
    """What others took while the searches of one configuration were decided; the first that says so."""
    said = (result_disturbed(trial.points, trial.rate_per_s, trial.missed_per_s) for trial in trials)
    return next((text for text in said if text), "")
