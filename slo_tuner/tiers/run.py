"""Runs the scenarios on one server: both models with their tiers, then the same requests without."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..measurement.meter import Meter
from ..session.session import Session
from ..slo.numerals import rate_text
from ..slo.objective import ChosenObjective, choose_objective
from ..triton.deadlines import LOAD_S
from ..triton.restore import restored_server
from .model_config import check_tier, without_tier
from .options import TiersOptions
from .record import ModelRun, ScenarioResult, TieredModel, TierResults, Tiers
from .replay import ModelLoad, run_scenario
from .scenarios import SCENARIOS, Scenario
from .text import phase_line


class TierRuns:
    """Plays every scenario; results.json is rewritten after each."""

    def __init__(self, session: Session, options: TiersOptions) -> None:
        self._session, self._options = session, options
        self._control, self._progress = session.control, session.progress
        self._megabytes: dict[str, float] = {}

    def run(self) -> TierResults:
        """Measure all scenarios; the results as written. The server is left as it was found."""
        self._control.check_explicit()
        with restored_server(self._control, self._progress.say):
            configs = [self._built(model, tier) for tier, model in enumerate(self._options.models, start=1)]
            plain = [without_tier(config) for config in configs]
            self._serve(plain)
            models = self._alone(configs)
            done: list[ScenarioResult] = []
            for scenario in self._options.scenarios:
                done.append(self._scenario(scenario, models, configs, plain))
                results = self._write(models, done)
        return results

    def _built(self, model: str, tier: int) -> ModelConfig:
        self._session.load_if_needed(model)
        config = self._control.config(model)
        check_tier(config, tier)
        return config

    def _serve(self, configs: Sequence[ModelConfig]) -> None:
        for config in configs:
            self._control.load(config.name, LOAD_S, config)

    @contextmanager
    def _meters(self) -> Iterator[list[Meter]]:
        with ExitStack() as opened:
            yield [opened.enter_context(closing(self._session.meter(model, None))) for model in self._options.models]

    def _alone(self, configs: Sequence[ModelConfig]) -> tuple[TieredModel, TieredModel]:
        """What each model serves while the other gets no requests."""
        with self._meters() as (first, second):
            unloaded_ms = first.unloaded_ms()
            own = choose_objective(self._options.measure.objective, first.model, unloaded_ms)
            other = ChosenObjective(self._options.tier2_objective, "asked for")
            return (
                self._model(1, first, own, unloaded_ms, configs[0]),
                self._model(2, second, other, second.unloaded_ms(), configs[1]),
            )

    def _model(
        self, tier: int, meter: Meter, chosen: ChosenObjective, unloaded_ms: float, config: ModelConfig
    ) -> TieredModel:
        given = self._options.capacities_per_s
        # Enough in flight that every instance has its next batch at hand.
        in_flight = 2 * config.max_batch_size * sum(group.count for group in config.instance_group)
        capacity = given[tier - 1] if given else meter.run_closed_loop(in_flight).rate_per_s
        self._megabytes[meter.model] = meter.megabytes
        self._progress.heading(
            meter.model,
            f"tier {tier}: {rate_text(capacity)} req/s alone, unloaded {unloaded_ms:.1f} ms; "
            f"objective {chosen.objective}",
        )
        return TieredModel(
            model=meter.model,
            tier=tier,
            objective=chosen.objective,
            objective_source=chosen.source,
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

    def _played(
        self, scenario: Scenario, models: tuple[TieredModel, TieredModel], run: str
    ) -> tuple[ModelRun, ModelRun]:
        with self._meters() as meters:
            parts = [self._part(scenario, model, meter, run) for model, meter in zip(models, meters, strict=True)]
            first, second = self._undisturbed(parts)
        for model, played in zip(models, (first, second), strict=True):
            self._progress.say(f"  {run:8} {phase_line(model, played)}")
        self._control.check_alive()
        return first, second

    def _undisturbed(self, parts: Sequence[ModelLoad]) -> list[ModelRun]:
        """A run on a quiet machine, where there is one within the session's patience; both models have it the same."""
        machine, runs = parts[0].meter.machine, [run_scenario(parts)]

        def again() -> ModelRun:
            runs.append(run_scenario(parts))
            return runs[-1][0]

        if machine is not None:
            self._session.patience.improved(machine.look, runs[0][0], again, lambda _: True, lambda _: None)
        return runs[-1]

    def _part(self, scenario: Scenario, model: TieredModel, meter: Meter, run: str) -> ModelLoad:
        rates = scenario.rates_per_s(model.tier, model.capacity_per_s)
        name = f"{scenario.name}-{run}-{model.model}.csv.gz"
        seed = 1000 * SCENARIOS.index(scenario) + 100 * model.tier
        return ModelLoad(
            meter, model.objective, rates, self._options.phase_s, seed, self._session.options.output / "requests" / name
        )

    def _write(self, models: tuple[TieredModel, TieredModel], done: Sequence[ScenarioResult]) -> TierResults:
        results = TierResults(
            run=self._session.header,
            objective=models[0].objective,
            objective_source=models[0].objective_source,
            request_megabytes=dict(self._megabytes),
            requests=dict(self._session.requests),
            models=(),
            complete=len(done) == len(self._options.scenarios),
            wall_s=self._session.wall_s,
            tiers=Tiers(models=models, phase_s=self._options.phase_s, scenarios=tuple(done)),
        )
        self._session.write(results)
        return results
