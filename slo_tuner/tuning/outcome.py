"""Makes results.json of what a tuning has found so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..results import ModelResult, ObjectiveRecord
from .deployment import Wish, deploy
from .generator import generator_need
from .knowledge import Knowledge
from .record import Expectation, SpaceRecord, StepRecord, Tuning, TuningResults
from .space import Configuration, Space
from .trial import Trial
from .triton_config import as_dict, with_configuration
from .way import Choice


@dataclass(frozen=True)
class Subject:
    """What is tuned, for what, and where: known before the first trial, but for the seconds."""

    model: str
    as_found: ModelConfig
    space: Space
    wish: Wish
    objective: ObjectiveRecord
    title: str
    created: str
    command: str
    protocol: str
    environment: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """What the explorer came to, and all that it knows."""

    choice: Choice | None
    known: Knowledge


def make_results(
    subject: Subject, trials: Sequence[Trial], finished: Finished | None, megabytes: float, wall_s: float
) -> TuningResults:
    """The results of the trials; incomplete without `finished`. The models are the baseline and the winner."""
    choice = finished.choice if finished else None
    models = [_model_result(subject, f"{subject.model} as found", [t for t in trials if t.role == "baseline"], None)]
    if choice is not None and len(choice.way) > 1:
        of_winner = [t for t in trials if t.configuration == choice.winner and t.rate_per_s]
        models.append(_model_result(subject, f"{subject.model} tuned", of_winner, choice.rate_per_s))
    return TuningResults(
        created=subject.created,
        title=subject.title or f"{subject.model}: tuned for {subject.objective.objective()}",
        command=subject.command,
        objective=subject.objective,
        protocol=subject.protocol,
        request_megabytes={model.model: megabytes for model in models},
        environment=subject.environment,
        models=tuple(models),
        complete=finished is not None,
        wall_s=wall_s,
        tuning=_tuning(subject, trials, finished),
    )


def _tuning(subject: Subject, trials: Sequence[Trial], finished: Finished | None) -> Tuning:
    space = subject.space
    facts: dict[str, Any] = {
        "model": subject.model,
        "space": SpaceRecord(
            batches=tuple(space.batches),
            instances=tuple(space.instances),
            delays_us=tuple(space.delays_us),
            preferred_halves=space.preferred_halves,
        ),
        "trials": tuple(trials),
        "generator": generator_need(trials),
    }
    choice = finished.choice if finished else None
    if finished is not None and choice is None:
        facts["stopped"] = "no configuration that was tried keeps the objective"
    if finished is not None and choice is not None:
        facts["way"] = tuple(
            StepRecord(configuration=s.configuration, rate_per_s=s.rate_per_s, changed=s.changed) for s in choice.way
        )
        facts |= {"rates_per_s": choice.rates, "stopped": choice.stopped, "surface": _surface(finished.known)}
        facts["deployment"] = deploy(choice.rate_per_s, choice.way[0].rate_per_s, subject.wish)
    return Tuning.model_validate(facts)


def _surface(known: Knowledge) -> tuple[Expectation, ...]:
    expected = known.expected()
    rows = zip(known.choices, np.exp(expected.log_rate), expected.spread, strict=True)
    return tuple(Expectation(configuration=c, rate_per_s=float(r), spread=float(s)) for c, r, s in rows)


def _model_result(subject: Subject, name: str, trials: Sequence[Trial], rate: float | None) -> ModelResult:
    """The searches of one configuration as one model of the ladder; `rate` None takes the first search's."""
    found = next((t for t in trials if rate is None or t.rate_per_s == rate), None)
    configuration = found.configuration if found is not None else Configuration(batch=1, instances=1)
    return ModelResult(
        model=name,
        met=found is not None and found.rate_per_s is not None,
        rate_per_s=found.rate_per_s if found is not None else None,
        missed_per_s=found.missed_per_s if found is not None else None,
        generator_limited=any(trial.generator_limited for trial in trials),
        unloaded_ms=next((t.unloaded_ms for t in trials if t.unloaded_ms is not None), None),
        load_s=found.load_s if found is not None else None,
        points=tuple(point for trial in trials for point in trial.points),
        server_config=as_dict(with_configuration(subject.as_found, configuration)),
    )
