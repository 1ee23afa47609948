"""A finished tuning of a simulated server, as the tuner writes it."""

from simulated_family import SimulatedBench, Surface
from tritonclient.grpc.model_config_pb2 import ModelConfig

from slo_tuner.prices import read_prices
from slo_tuner.results import ObjectiveRecord
from slo_tuner.tuning.deployment import Wish
from slo_tuner.tuning.explore import Explorer
from slo_tuner.tuning.outcome import Finished, Subject, make_results
from slo_tuner.tuning.record import TuningResults
from slo_tuner.tuning.space import Configuration, Space
from slo_tuner.tuning.trial import Aim, run_trial

SURFACE = Surface(0.001, 0.003, 0.006, 1.0, 2.0, 0.02, 0.08, 0.001, most_copies=2)
SPACE = Space((1, 4, 8), (1, 2, 4), (0, 2000))
_ENVIRONMENT = {
    "cpu": "simulated",
    "cpu_cores": 2,
    "cpu_flags": [],
    "gpus": [],
    "kernel": "",
    "python": "",
    "packages": {},
    "server": {"name": "simulated", "version": ""},
    "git_revision": "",
}


def finished_tuning(limit_ms: float = 50.0, bench: SimulatedBench | None = None) -> TuningResults:
    """A model `m` that was found with batch 8; its server refuses more than two instances."""
    server = bench or SimulatedBench(SURFACE, limit_ms, seed=1, requests=500)
    aim = Aim(limit_ms / 1000, 0.05)
    trials: list = []

    def measure(task, known):  # type: ignore[no-untyped-def]
        trials.append(run_trial(server, task, len(trials) + 1, aim, known))
        return trials[-1]

    explorer = Explorer(measure, Configuration(batch=8, instances=1), SPACE, aim)
    choice = explorer.run()
    objective = ObjectiveRecord(quantile=0.95, limit_ms=limit_ms, error_share=0.01, chosen="asked for")
    as_found = ModelConfig(name="m", max_batch_size=8)
    wish = Wish(total_rate_per_s=500.0, offer=read_prices().offer("n1-standard-4+T4"))
    created, command = "2026-01-02T00:00:00+00:00", "slo-tuner tune m"
    subject = Subject("m", as_found, SPACE, wish, objective, "", created, command, "grpc", dict(_ENVIRONMENT))
    return make_results(subject, trials, Finished(choice, explorer.known), 0.6, 100.0)


def unfinished(results: TuningResults, trials: int) -> TuningResults:
    """The same as it was after some trials."""
    tuning = results.tuning
    kept = tuning.model_copy(
        update={"trials": tuning.trials[:trials], "way": (), "rates_per_s": (), "surface": (), "deployment": None}
    )
    return results.model_copy(update={"tuning": kept.model_copy(update={"stopped": ""}), "complete": False})
