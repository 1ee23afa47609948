"""The tuner against brute force on a real tritonserver, in parts that can be run one after another:

    python benchmarks/tuner_server.py brute   --repository demo/models --model onnx_int8 --limit 10   # until done
    python benchmarks/tuner_server.py tune    --repository demo/models --model onnx_int8
    python benchmarks/tuner_server.py compare --repository demo/models --model onnx_int8

`brute` searches each of 60 configurations completely, `tune` lets the tuner choose from the same ones, with the same
effort. What the truly best one is nobody knows here: `compare` searches both winners again, in turn, and `brute`'s
five best, as the best of 60 noisy rates is partly luck. The configuration as found is the start of both.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import locust  # noqa: F401  before any socket
import numpy as np

from slo_tuner.control import Control
from slo_tuner.environment import describe_environment
from slo_tuner.ladder import LOAD_S
from slo_tuner.measure import Effort, Endpoint, Meter
from slo_tuner.objective import parse_objective
from slo_tuner.progress import Progress
from slo_tuner.server import TritonProcess, pick_ports
from slo_tuner.tritonserver import find_tritonserver
from slo_tuner.tuning.explore import Explorer
from slo_tuner.tuning.space import Configuration, Space
from slo_tuner.tuning.trial import Aim, Task, Trial, run_trial
from slo_tuner.tuning.triton_bench import TritonBench
from slo_tuner.tuning.triton_config import read_configuration

SPACE = Space((1, 2, 4, 8, 16), (1, 2, 3, 4), (0, 5000), preferred_halves=True)
EFFORT = Effort(
    point_s=5.0,
    point_requests=300,
    confirm_s=6.0,
    confirm_least_s=4.0,
    warm_up_s=0.5,
    sweep_s=2.0,
    repeats=2,
)
ROUNDS = 3


@contextmanager
def bench(options: argparse.Namespace) -> Iterator[tuple[TritonBench, Aim]]:
    """The model on a server of its own; the baseline's batch is the space's largest."""
    objective = parse_objective(options.objective)
    program = find_tritonserver(server_python=options.server_python)
    options.output.mkdir(parents=True, exist_ok=True)
    with (
        TritonProcess(program, options.repository, pick_ports(), options.output / "tritonserver.log") as process,
        closing(Control(process.grpc_address, process)) as control,
    ):
        control.load(options.model, LOAD_S)
        endpoint = Endpoint(process.grpc_address, process.grpc_address, metrics_url=process.metrics_url)

        def open_meter() -> Meter:
            return Meter(control, endpoint, options.model, EFFORT, None)

        found = TritonBench(control, options.model, open_meter, Progress())
        found.objective = objective
        (options.output / "environment.json").write_text(json.dumps(describe_environment(control.server())))
        yield found, Aim(objective.limit_ms / 1000, objective.miss_share, EFFORT.precision, EFFORT.repeats)
        found.close()


def read(path: Path) -> list[Trial]:
    """The trials of a file with one on each line."""
    return [Trial.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path: Path, trial: Trial) -> None:
    """One more trial."""
    with path.open("a") as file:
        file.write(trial.model_dump_json() + "\n")


def brute(options: argparse.Namespace) -> None:
    """The next configurations of the space, each searched completely."""
    file = options.output / "brute.jsonl"
    done = read(file)
    open_ = [c for c in _shuffled() if c not in {trial.configuration for trial in done}][: options.limit]
    with bench(options) as (server, aim):
        for configuration in open_:
            known = max((t.saturation.rate_per_s for t in done if t.saturation), default=0.0)
            done.append(run_trial(server, Task(configuration, "leader", "each"), len(done) + 1, aim, known))
            keep(file, done[-1])
    print(f"{len(done)} of {len(SPACE.configurations())} configurations, {sum(t.wall_s for t in done):.0f} s")


def _shuffled() -> list[Configuration]:
    """In an order without meaning, so that a machine that changes meanwhile favours none."""
    configurations = list(SPACE.configurations())
    return [configurations[i] for i in np.random.default_rng(1).permutation(len(configurations))]


def tune(options: argparse.Namespace) -> None:
    """The tuner's own way."""
    file = options.output / "tune.jsonl"
    file.unlink(missing_ok=True)
    with bench(options) as (server, aim):
        baseline = read_configuration(server.as_found).model_copy(update={"batch": max(SPACE.batches)})
        explorer = Explorer(
            lambda task, known: run_trial(server, task, len(explorer.known.trials) + 1, aim, known),
            baseline,
            SPACE,
            aim,
        )
        choice = explorer.run()
    for trial in explorer.known.trials:
        keep(file, trial)
    (options.output / "winner.json").write_text(choice.winner.model_dump_json() if choice else "null")
    print(f"winner {choice.winner if choice else None}: {choice.stopped if choice else 'nothing keeps the objective'}")


def compare(options: argparse.Namespace) -> None:
    """The tuner's winner and the five best of brute force, searched in turn; what each method took."""
    trials = read(options.output / "brute.jsonl")
    tuned = read(options.output / "tune.jsonl")
    winner = Configuration.model_validate_json((options.output / "winner.json").read_text())
    ranked = sorted((t for t in trials if t.rate_per_s), key=lambda t: -(t.rate_per_s or 0.0))
    rates: dict[Configuration, list[float]] = {c: [] for c in [winner, *(t.configuration for t in ranked[:5])]}
    started = time.monotonic()
    with bench(options) as (server, aim):
        for _ in range(ROUNDS):
            for configuration, found in rates.items():
                trial = run_trial(server, Task(configuration, "leader", "again"), 1, aim, ranked[0].rate_per_s or 0.0)
                found.append(trial.rate_per_s or 0.0)
    best = max(np.mean(found) for found in rates.values())
    for configuration, found in rates.items():
        mark = "  <- the tuner's" if configuration == winner else ""
        print(f"{np.mean(found):7.1f} requests/s ({', '.join(f'{r:.1f}' for r in found)}): {configuration}{mark}")
    points = [sum(t.measured_points for t in method) for method in (tuned, trials)]
    print(f"the tuner's winner is {100 * (1 - np.mean(rates[winner]) / best):.1f} % below the best of these")
    print(f"points: tuner {points[0]}, brute force {points[1]} ({100 * points[0] / points[1]:.1f} %)")
    print(
        f"seconds: tuner {sum(t.wall_s for t in tuned):.0f}, brute force {sum(t.wall_s for t in trials):.0f}, ", end=""
    )
    print(f"comparison {time.monotonic() - started:.0f}")


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("brute", "tune", "compare"))
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--objective", default="p95<=200ms")
    parser.add_argument("--server-python", default=".nox/server_env/bin/python")
    parser.add_argument("--limit", type=int, default=1000, help="configurations of this call of brute")
    parser.add_argument("--output", type=Path, default=Path("build/tuner-benchmark"))
    options = parser.parse_args()
    {"brute": brute, "tune": tune, "compare": compare}[options.part](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
