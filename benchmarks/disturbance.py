"""How far a server's throughput moves when another program takes a share of a core: `nox -s disturbance_benchmark`.

    python benchmarks/disturbance.py --repository models --model onnx_fp32 --server-python PYTHON

The same model on the same tritonserver answers a closed loop of `--concurrency` requests in pairs: quiet, and beside a
process that burns a core for a share of each second, the order changing from pair to pair. What moves a machine over
minutes moves both halves of a pair alike, so their ratio shows the burner alone; pairs without a burner show what is
left. A rate within a generous objective is near the throughput; a strict one moves further, for queues grow first.

Nothing is measured again. Prints a table and the threshold that follows: the largest share of the cores that was seen
taken up to which the median pair moved by 10 % or less. Exits 1 when a share moved the median further than that and was
not marked in more than half of its pairs, or when the pairs without a burner say that the machine was not quiet. Run it
on a machine that does nothing else; with the defaults it takes 12 minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

import locust  # noqa: F401  before any socket

from command_line.environment import describe_environment
from slo_tuner.measurement.disturbance import MOST_TAKEN_SHARE, Machine
from slo_tuner.measurement.effort import Effort
from slo_tuner.measurement.meter import Meter, Surroundings, Thoroughness
from slo_tuner.results.schema import SweepPoint
from slo_tuner.triton.control import Control
from slo_tuner.triton.endpoint import Endpoint
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

EFFORT = Effort(warm_up_s=0.5, sweep_s=2.0)
WITHIN = 0.1
BURNER = """
import os, sys, time
share, watched, period_s = float(sys.argv[1]), sys.argv[2], 1.0
begin = time.perf_counter()
while os.path.exists("/proc/" + watched):  # ends with the benchmark, however that ends
    while time.perf_counter() < begin + share * period_s:
        pass
    begin += period_s
    time.sleep(max(0.0, begin - time.perf_counter()))
"""


@dataclass(frozen=True)
class Row:
    """The pairs of one share of a core: ratios of throughput, burner over quiet, and what was seen taken, in cores.

    `marked` of the halves beside the burner counted as disturbed, `quiet_marked` of the others.
    """

    burnt: float
    ratios: tuple[float, ...]
    quiet_per_s: float
    taken_cores: float
    largest_taken_cores: float
    marked: int
    quiet_marked: int

    @property
    def moved(self) -> float:
        """The median pair: -0.02 is a throughput that is 2 % lower beside the burner."""
        return median(self.ratios) - 1


def main() -> int:
    """Measure every share; the exit status says whether each is small or marked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--model", default="onnx_fp32")
    parser.add_argument("--server-python")
    parser.add_argument("--concurrency", type=int, default=16, help="default %(default)s")
    parser.add_argument("--pairs", type=int, default=24, help="of each share (default %(default)s, 2 or more)")
    parser.add_argument("--shares", default="0.05,0.1,0.2,0.33,0.5", help="of a core (default %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("disturbance.json"), help="default %(default)s")
    options = parser.parse_args()
    shares = [0.0, *(float(text) for text in options.shares.split(","))]
    program = find_tritonserver(None, options.server_python)
    with (
        tempfile.TemporaryDirectory() as scratch,
        TritonProcess(program, options.repository, pick_ports(), Path(scratch, "tritonserver.log")) as server,
        closing(Control(server.grpc_address, server)) as control,
    ):
        control.load(options.model, 300.0)
        here = Surroundings(machine=Machine())
        with closing(Meter(control, _endpoint(server), options.model, Thoroughness(EFFORT), here)) as meter:
            meter.run_closed_loop(options.concurrency)  # the first one warms up
            rows = [_pairs(meter, share, options.concurrency, options.pairs) for share in shares]
    return _report(rows, options.output, " ".join(sys.argv))


def _endpoint(server: TritonProcess) -> Endpoint:
    return Endpoint(server.grpc_address, server.grpc_address, metrics_url=server.metrics_url, local=True)


def _pairs(meter: Meter, share: float, concurrency: int, pairs: int) -> Row:
    """The pairs of one share."""
    quiet: list[SweepPoint] = []
    beside: list[SweepPoint] = []
    for number in range(pairs):
        for burns in (False, True) if number % 2 else (True, False):
            with _burning(share if burns else 0.0):
                (beside if burns else quiet).append(meter.run_closed_loop(concurrency))
        print(f"{share:g} of a core: {beside[-1].rate_per_s:.1f} / {quiet[-1].rate_per_s:.1f} req/s", file=sys.stderr)
    taken = [_taken(point) for point in beside]
    return Row(
        burnt=share,
        ratios=tuple(b.rate_per_s / q.rate_per_s for b, q in zip(beside, quiet, strict=True)),
        quiet_per_s=median(point.rate_per_s for point in quiet),
        taken_cores=sum(taken) / pairs,
        largest_taken_cores=max(taken),
        marked=sum(point.disturbed for point in beside),
        quiet_marked=sum(point.disturbed for point in quiet),
    )


def _taken(point: SweepPoint) -> float:
    seen = point.disturbance
    assert seen is not None, "this machine has no /proc"
    return (seen.foreign_cores or 0.0) + seen.stolen_cores


@contextmanager
def _burning(share: float) -> Iterator[None]:
    """Beside a process that burns this share of a core, and is nobody's child here: so it is another program."""
    if share <= 0:
        yield
        return
    start = "import subprocess as s, sys; print(s.Popen(sys.argv[1:], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
    burner = [sys.executable, "-c", BURNER, str(share), str(os.getpid())]
    done = subprocess.run(
        [sys.executable, "-c", start, *burner], capture_output=True, text=True, check=True, timeout=30
    )
    try:
        yield
    finally:
        subprocess.run(["kill", done.stdout.strip()], check=True, timeout=30)


def _report(rows: list[Row], output: Path, command: str) -> int:
    """The table, the threshold that follows, and the JSON; 1 when a share passed for a quiet machine."""
    look = Machine().look(0.2)
    assert look is not None, "this machine has no /proc"
    cores = look.cores
    print(" burnt  taken by others  largest   quiet req/s   moved (quartiles)        marked")
    for row in rows:
        low, _, high = quantiles(row.ratios, n=4)
        print(
            f"{row.burnt:6.2f} {row.taken_cores:8.3f} = {100 * row.taken_cores / cores:4.1f} % "
            f"{row.largest_taken_cores:8.3f} {row.quiet_per_s:13.1f}  {100 * row.moved:+6.1f} % "
            f"({100 * (low - 1):+.1f} to {100 * (high - 1):+.1f})  {row.marked:2} of {len(row.ratios)}"
        )
    threshold = max((row.taken_cores / cores for row in rows if abs(row.moved) <= WITHIN), default=0.0)
    good = all(abs(row.moved) <= WITHIN or row.marked > len(row.ratios) / 2 for row in rows)
    none = rows[0]
    quiet = abs(none.moved) <= EFFORT.precision and sum(row.quiet_marked for row in rows) <= len(none.ratios)
    print(
        f"moved by at most {100 * WITHIN:g} % up to {100 * threshold:.1f} % of {cores:g} cores "
        f"(threshold now: {100 * MOST_TAKEN_SHARE:g} %)"
    )
    if not quiet:
        print("this machine was not quiet without a burner either: the threshold means nothing")
    facts = {
        "command": command,
        "cores": cores,
        "rows": [{**asdict(row), "moved": row.moved} for row in rows],
        "quiet": quiet,
        "within": WITHIN,
        "suggested_share": threshold,
        "share_now": MOST_TAKEN_SHARE,
        "environment": describe_environment(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"written: {output}")
    return 0 if good and quiet else 1


if __name__ == "__main__":
    sys.exit(main())
