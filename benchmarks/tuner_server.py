"""The tuner against brute force on a real tritonserver, in parts that can be run one after another:

    python benchmarks/tuner_server.py brute   --repository models --model onnx_int8_bytes --limit 10   # until done
    python benchmarks/tuner_server.py tune    --repository models --model onnx_int8_bytes
    python benchmarks/tuner_server.py compare --repository models --model onnx_int8_bytes

`brute` searches each of 60 configurations completely, `tune` lets the tuner choose from the same ones, with the same
effort. A hill climb needs no measurements of its own: it walks over those of brute force. What the truly best one is
nobody knows here: `compare` searches the winners again, in turn, and `brute`'s five best, as the best of 60 noisy rates
is partly luck. The tuner and the hill climb start from the configuration as found, with the space's largest batch.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import locust  # noqa: F401  before any socket
import numpy as np
from rivals import hill_climb

from command_line.environment import describe_environment
from slo_tuner.capacity.configuration import Configuration
from slo_tuner.measurement.effort import Effort
from slo_tuner.measurement.meter import Meter, Thoroughness
from slo_tuner.session.progress import Progress
from slo_tuner.slo.objective import parse_objective
from slo_tuner.triton.control import Control
from slo_tuner.triton.deadlines import LOAD_S
from slo_tuner.triton.endpoint import Endpoint
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports
from slo_tuner.tuning.explorer import Explorer
from slo_tuner.tuning.space import Space
from slo_tuner.tuning.trial import Candidate, Trial, TrialObjective, run_trial
from slo_tuner.tuning.triton_config import read_configuration
from slo_tuner.tuning.triton_system import TritonSystem

SPACE = Space((1, 2, 4, 8, 16), (1, 2, 3, 4), (0, 5000), preferred_halves=True)
EFFORT = Effort(
    point_s=2.0,
    point_requests=600,
    confirm_s=3.0,
    confirm_least_s=2.5,
    warm_up_s=0.5,
    sweep_s=1.0,
    repeats=2,
)
ROUNDS = 3


@contextmanager
def bench(options: argparse.Namespace) -> Iterator[tuple[TritonSystem, TrialObjective]]:
    """The model on a server of its own; the baseline's batch is the space's largest."""
    objective = parse_objective(options.objective)
    program = find_tritonserver(server_python=options.server_python)
    options.output.mkdir(parents=True, exist_ok=True)
    with (
        TritonProcess(program, options.repository, pick_ports(), options.output / "tritonserver.log") as process,
        closing(Control(process.grpc_address, process)) as control,
    ):
        _go_first()
        control.load(options.model, LOAD_S)
        endpoint = Endpoint(process.grpc_address, process.grpc_address, metrics_url=process.metrics_url)

        def open_meter() -> Meter:
            return Meter(control, endpoint, options.model, Thoroughness(EFFORT))

        found = TritonSystem(control, options.model, open_meter, Progress())
        found.objective = objective
        (options.output / "environment.json").write_text(
            json.dumps(describe_environment() | {"server": control.server()})
        )
        yield found, TrialObjective(objective, EFFORT.precision, EFFORT.repeats)
        found.close()


def _go_first() -> None:
    """Give this process, not the server that it started, the cores first: with few cores points are invalid else."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 10)
    except PermissionError:
        print("the load generator can't be given priority: start as root if points are invalid", file=sys.stderr)


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
            done.append(run_trial(server, Candidate(configuration, "leader", "each"), len(done) + 1, aim, known))
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
        baseline = _start(server)
        (options.output / "start.json").write_text(baseline.model_dump_json())
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


def _start(server: TritonSystem) -> Configuration:
    """The configuration as found, with the space's largest batch and without what the space lacks."""
    found = read_configuration(server.as_found)
    return Configuration(batch=max(SPACE.batches), instances=found.instances)


def _climbed(trials: list[Trial], start: Configuration) -> tuple[Configuration, list[Trial]]:
    """Where a hill climb over the trials ends, and those that it looked at."""
    by_configuration = {trial.configuration: trial for trial in trials}
    seen: list[Trial] = []

    def look(task: Candidate, _known: float) -> Trial:
        seen.append(by_configuration[task.configuration])
        return seen[-1]

    return hill_climb(SPACE, start, look), seen


def compare(options: argparse.Namespace) -> None:
    """The winners and the five best of brute force, searched in turn; what each method took."""
    trials = read(options.output / "brute.jsonl")
    tuned = read(options.output / "tune.jsonl")
    winner = Configuration.model_validate_json((options.output / "winner.json").read_text())
    climbed, climb = _climbed(trials, Configuration.model_validate_json((options.output / "start.json").read_text()))
    ranked = sorted((t for t in trials if t.rate_per_s), key=lambda t: -(t.rate_per_s or 0.0))
    rates: dict[Configuration, list[float]] = {
        c: [] for c in [winner, climbed, *(t.configuration for t in ranked[: options.leaders])]
    }
    started = time.monotonic()
    with bench(options) as (server, aim):
        for _ in range(ROUNDS):
            for configuration, found in rates.items():
                trial = run_trial(
                    server, Candidate(configuration, "leader", "again"), 1, aim, ranked[0].rate_per_s or 0.0
                )
                found.append(trial.rate_per_s or 0.0)
    best = max(np.mean(found) for found in rates.values())
    methods = {"tuner": winner, "brute force": ranked[0].configuration, "hill climb": climbed}
    for configuration, found in rates.items():
        mark = "".join(f"  <- {name}" for name, c in methods.items() if c == configuration)
        print(f"{np.mean(found):7.1f} requests/s ({', '.join(f'{r:.1f}' for r in found)}): {configuration}{mark}")
    for (name, chosen), took in zip(methods.items(), (tuned, trials, climb), strict=True):
        points, most = sum(t.measured_points for t in took), sum(t.measured_points for t in trials)
        print(
            f"{name}: {100 * (1 - np.mean(rates[chosen]) / best):.1f} % below the best of these, {points} points "
            f"({100 * points / most:.1f} % of brute force), {sum(t.wall_s for t in took):.0f} s"
        )
    (options.output / "compared.json").write_text(json.dumps({str(c): found for c, found in rates.items()}, indent=1))
    print(f"comparison: {time.monotonic() - started:.0f} s")


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("brute", "tune", "compare"))
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--objective", default="p95<=100ms")
    parser.add_argument("--server-python", default=".nox/server_env/bin/python")
    parser.add_argument("--limit", type=int, default=1000, help="configurations of this call of brute")
    parser.add_argument("--leaders", type=int, default=5, help="compare this many of brute force's best again")
    parser.add_argument("--output", type=Path, default=Path("build/tuner-benchmark"))
    options = parser.parse_args()
    {"brute": brute, "tune": tune, "compare": compare}[options.part](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
