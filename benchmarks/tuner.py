"""The tuner against brute force and a hill climb on random simulated servers: `nox -s tuner_benchmark -- --members 10`.

Every server's true rates are known from long runs without noise, so what each method chose is compared with the truly
best configuration. A point is one closed or open loop that the method ran.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import locust  # noqa: F401  before any socket
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit" / "slo_tuner"))

from rivals import brute_force, hill_climb
from simulated_family import SimulatedBench, Surface, true_rate

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.slo.objective import Objective
from slo_tuner.tuning.explorer import Explorer
from slo_tuner.tuning.space import Space
from slo_tuner.tuning.trial import Candidate, Trial, TrialObjective, run_trial

BATCHES, INSTANCES = (1, 2, 4, 8, 16), (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Case:
    """One random server, its objective and the configurations to choose from."""

    member: int
    surface: Surface
    limit_ms: float
    space: Space
    start: Configuration

    @property
    def aim(self) -> TrialObjective:
        return TrialObjective(Objective(limit_ms=self.limit_ms))


@dataclass(frozen=True)
class Chosen:
    """What a method chose, and what it took: points, seconds of load, seconds in all."""

    configuration: Configuration
    points: int
    load_s: float
    wall_s: float


def make_case(member: int) -> Case:
    """The member's server with a limit of 3, 5 or 8 times its unloaded latency."""
    surface = Surface.drawn(member)
    limit_ms = float(round(1000 * (surface.seconds(1, 1) + surface.outside) * (3, 5, 8)[member % 3]))
    space = Space(BATCHES, INSTANCES, (0, round(limit_ms * 30)), preferred_halves=True)
    return Case(member, surface, limit_ms, space, Configuration(batch=16, instances=1))


def tuner(case: Case, measure: Callable[[Candidate, float], Trial]) -> Configuration:
    """slo-tuner tune."""
    choice = Explorer(measure, case.start, case.space, case.aim).run()
    assert choice is not None
    return choice.winner


METHODS = {
    "tuner": tuner,
    "brute force": lambda case, measure: brute_force(case.space, measure),
    "hill climb": lambda case, measure: hill_climb(case.space, case.start, measure),
}


def run(case: Case, method: Callable[[Case, Callable[[Candidate, float], Trial]], Configuration], seed: int) -> Chosen:
    """Let a method choose on a bench of its own, and count what it measures."""
    bench = SimulatedBench(case.surface, case.limit_ms, seed)
    started = time.monotonic()
    points = 0

    def measure(task: Candidate, known: float) -> Trial:
        nonlocal points
        trial = run_trial(bench, task, points, case.aim, known)
        points += trial.measured_points
        return trial

    return Chosen(method(case, measure), points, bench.seconds, time.monotonic() - started)


def main() -> int:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10, help="how many random servers")
    parser.add_argument("--first", type=int, default=101, help="the seed of the first one")
    parser.add_argument("--noise", type=int, default=0, help="another number: the same servers with other noise")
    options = parser.parse_args()
    rows = []
    print("| server | configurations | method | below the best, % | points | share of brute force, % | load, s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for member in range(options.first, options.first + options.members):
        case = make_case(member)
        rough = {c: true_rate(case.surface, c, case.limit_ms, 2000) for c in case.space.configurations()}
        chosen = {name: run(case, method, member + 1000 * options.noise) for name, method in METHODS.items()}
        leading = sorted(rough, key=lambda c: -rough[c])[:10] + [c.configuration for c in chosen.values()]
        truth = {c: true_rate(case.surface, c, case.limit_ms) for c in set(leading)}
        best = max(truth.values())
        for name, one in chosen.items():
            below = 100 * (1 - truth[one.configuration] / best)
            share = 100 * one.points / chosen["brute force"].points
            rows.append({"member": member, "method": name, "below": below, "share": share})
            rows[-1] |= {**asdict(one), "configuration": str(one.configuration), "configurations": len(rough)}
            cells = (f"{below:.1f}", str(one.points), f"{share:.1f}", f"{one.load_s:.0f}")
            print(f"| {member} | {len(rough)} | {name} | {' | '.join(cells)} |", flush=True)
    for name in METHODS:
        below, share = (np.array([r[key] for r in rows if r["method"] == name]) for key in ("below", "share"))
        print(f"{name}: below the best median {np.median(below):.1f} %, worst {below.max():.1f} %, ", end="")
        print(f"within 3 % on {(below <= 3).sum()} of {len(below)}; ", end="")
        print(f"share of the points median {np.median(share):.1f} %, most {share.max():.1f} %")
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
