"""A finished tuning of a simulated server, as the tuner writes it."""

from run_headers import header
from simulated_family import SimulatedBench, Surface
from tritonclient.grpc.model_config_pb2 import ModelConfig

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.cost.prices import read_prices
from slo_tuner.slo.objective import ChosenObjective, Objective
from slo_tuner.tuning.deployment import DeploymentGoal
from slo_tuner.tuning.explorer import Explorer
from slo_tuner.tuning.make_results import RunContext, SearchOutcome, make_results
from slo_tuner.tuning.record import TuningResults
from slo_tuner.tuning.space import Space
from slo_tuner.tuning.trial import TrialObjective, run_trial

SURFACE = Surface(0.001, 0.003, 0.006, 1.0, 2.0, 0.02, 0.08, 0.001, most_copies=2)
SPACE = Space((1, 4, 8), (1, 2, 4), (0, 2000))


def finished_tuning(limit_ms: float = 50.0, bench: SimulatedBench | None = None) -> TuningResults:
    """A model `m` that was found with batch 8; its server refuses more than two instances."""
    server = bench or SimulatedBench(SURFACE, limit_ms, seed=1, requests=500)
    aim = TrialObjective(Objective(limit_ms=limit_ms))
    trials: list = []

    def measure(task, known):  # type: ignore[no-untyped-def]
        trials.append(run_trial(server, task, len(trials) + 1, aim, known))
        return trials[-1]

    explorer = Explorer(measure, Configuration(batch=8, instances=1), SPACE, aim)
    choice = explorer.run()
    chosen = ChosenObjective(aim.objective, "asked for")
    goal = DeploymentGoal(total_rate_per_s=500.0, offer=read_prices().offer("n1-standard-4+T4"))
    run = header(title="", command="slo-tuner tune m")
    context = RunContext("m", ModelConfig(name="m", max_batch_size=8), SPACE, goal, chosen, run, "full")
    return make_results(context, trials, SearchOutcome(choice, explorer.known), 0.6, 100.0)


def unfinished(results: TuningResults, trials: int) -> TuningResults:
    """The same as it was after some trials."""
    tuning = results.tuning
    kept = tuning.model_copy(
        update={"trials": tuning.trials[:trials], "path": (), "rates_per_s": (), "surface": (), "deployment": None}
    )
    return results.model_copy(update={"tuning": kept.model_copy(update={"stopped": ""}), "complete": False})
