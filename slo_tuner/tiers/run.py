"""Runs the scenarios on one server: both models with their tiers, then the same requests without."""

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..control import Control
from ..environment import describe_environment
from ..ladder import LOAD_S, Job
from ..measure import Meter
from ..objective import Objective, relative_objective
from ..progress import Progress
from ..results import ObjectiveRecord, write_results
from .model_config import check_tier, without_tier
from .play import Part, play
from .record import Played, ScenarioResult, TieredModel, TierResults, Tiers
from .request import TiersRequest
from .scenarios import SCENARIOS, Scenario
from .words import phase_line


class TierRuns:
    """Plays every scenario; results.json is rewritten after each."""

    def __init__(self, job: Job, asked: TiersRequest, control: Control, progress: Progress) -> None:
        self._job, self._asked, self._control, self._progress = job, asked, control, progress
        self._started = time.monotonic()
        self._created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._environment = describe_environment(control.server())
        self._megabytes: dict[str, float] = {}

    def run(self) -> TierResults:
        """Measure all scenarios; the results as written. The server is left with the models as they were built."""
        self._control.check_explicit()
        configs = [self._built(model, tier) for tier, model in enumerate(self._asked.models, start=1)]
        plain = [without_tier(config) for config in configs]
        try:
            self._serve(plain)
            models = self._alone(configs)
            done: list[ScenarioResult] = []
            for scenario in self._asked.scenarios:
                done.append(self._scenario(scenario, models, configs, plain))
                results = self._write(models, done)
        finally:
            self._serve(configs)
        return results

    def _built(self, model: str, tier: int) -> ModelConfig:
        if not self._control.is_ready(model):
            self._control.load(model, LOAD_S)
        config = self._control.config(model)
        check_tier(config, tier)
        return config

    def _serve(self, configs: Sequence[ModelConfig]) -> None:
        for config in configs:
            self._control.load(config.name, LOAD_S, config)

    @contextmanager
    def _meters(self) -> Iterator[list[Meter]]:
        job = self._job
        with ExitStack() as opened:
            yield [
                opened.enter_context(closing(Meter(self._control, job.endpoint, model, job.effort, None)))
                for model in self._asked.models
            ]

    def _alone(self, configs: Sequence[ModelConfig]) -> tuple[TieredModel, TieredModel]:
        """What each model serves while the other gets no requests."""
        with self._meters() as (first, second):
            objective, chosen = self._asked.objective, "asked for"
            unloaded_ms = first.unloaded_ms()
            if objective is None:
                objective = relative_objective(unloaded_ms)
                chosen = f"4 times the unloaded latency of {first.model} ({unloaded_ms:.0f} ms), rounded up"
            own = ObjectiveRecord.of(objective, chosen)
            other = ObjectiveRecord.of(self._asked.tier2_objective, "asked for")
            return (
                self._model(1, first, own, unloaded_ms, configs[0]),
                self._model(2, second, other, second.unloaded_ms(), configs[1]),
            )

    def _model(
        self, tier: int, meter: Meter, objective: ObjectiveRecord, unloaded_ms: float, config: ModelConfig
    ) -> TieredModel:
        given = self._asked.capacities_per_s
        # Enough in flight that every instance has its next batch at hand.
        in_flight = 2 * config.max_batch_size * sum(group.count for group in config.instance_group)
        capacity = given[tier - 1] if given else meter.saturation(in_flight).rate_per_s
        self._megabytes[meter.model] = meter.payload.megabytes
        self._progress.say(
            f"[bold]{meter.model}[/], tier {tier}: {capacity:.1f} req/s alone, unloaded {unloaded_ms:.1f} ms; "
            f"objective {objective.objective()}"
        )
        return TieredModel(
            model=meter.model,
            tier=tier,
            objective=objective,
            unloaded_ms=unloaded_ms,
            capacity_per_s=capacity,
            server_config=MessageToDict(config, preserving_proto_field_name=True),
        )

    def _scenario(
        self,
        scenario: Scenario,
        models: tuple[TieredModel, TieredModel],
        configs: Sequence[ModelConfig],
        plain: Sequence[ModelConfig],
    ) -> ScenarioResult:
        self._progress.say(f"{scenario.title}:")
        self._serve(configs)
        tiers = self._played(scenario, models, "tiers")
        self._serve(plain)
        control = self._played(scenario, models, "control")
        return ScenarioResult(name=scenario.name, title=scenario.title, tiers=tiers, control=control)

    def _played(self, scenario: Scenario, models: tuple[TieredModel, TieredModel], run: str) -> tuple[Played, Played]:
        with self._meters() as meters:
            parts = [self._part(scenario, model, meter, run) for model, meter in zip(models, meters, strict=True)]
            first, second = play(parts)
        for model, played in zip(models, (first, second), strict=True):
            self._progress.say(f"  {run:8} {phase_line(model, played)}")
        self._control.check_alive()
        return first, second

    def _part(self, scenario: Scenario, model: TieredModel, meter: Meter, run: str) -> Part:
        objective: Objective = model.objective.objective()
        rates = scenario.rates_per_s(model.tier, model.capacity_per_s)
        name = f"{scenario.name}-{run}-{model.model}.csv.gz"
        seed = 1000 * SCENARIOS.index(scenario) + 100 * model.tier
        return Part(meter, objective, rates, self._asked.phase_s, seed, self._job.output / "requests" / name)

    def _write(self, models: tuple[TieredModel, TieredModel], done: Sequence[ScenarioResult]) -> TierResults:
        job = self._job
        results = TierResults(
            created=self._created,
            title=job.title,
            command=job.command,
            objective=models[0].objective,
            protocol=job.endpoint.protocol,
            request_megabytes=dict(self._megabytes),
            environment=self._environment,
            models=(),
            complete=len(done) == len(self._asked.scenarios),
            wall_s=time.monotonic() - self._started,
            tiers=Tiers(models=models, phase_s=self._asked.phase_s, scenarios=tuple(done)),
        )
        write_results(results, job.output / "results.json")
        return results
