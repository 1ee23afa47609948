"""How far a measured rate moves when another program takes a share of a core: `nox -s disturbance_benchmark`.

    python benchmarks/disturbance.py --repository models --model onnx_fp32 --server-python PYTHON

The same model on the same tritonserver is searched for its rate, quiet at first and at last, and in between beside a
process that burns a core for a share of each second. Nothing is measured again, so every row shows one search. Prints a
table and the threshold that follows: the largest share taken up to which the rate moved no further than the search's
own precision, or than the quiet searches lie apart. Exits 1 when a disturbed search is neither within 10 % of the
quiet ones nor marked, or the machine was never quiet: others took a part of it, or the quiet searches lie further
apart than that. Run it on a machine that does nothing else; with the defaults it
takes 9 minutes at most.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import locust  # noqa: F401  before any socket

from command_line.environment import describe_environment
from slo_tuner.measurement.disturbance import MOST_TAKEN_SHARE, Machine
from slo_tuner.measurement.effort import Effort
from slo_tuner.measurement.machine_files import MachineFiles
from slo_tuner.measurement.machine_load import TICKS_PER_S, Reading
from slo_tuner.measurement.meter import Meter, Surroundings, Thoroughness
from slo_tuner.results.schema import ModelResult, Point, SweepPoint
from slo_tuner.slo.objective import Objective, parse_objective
from slo_tuner.triton.control import Control
from slo_tuner.triton.endpoint import Endpoint
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

EFFORT = Effort(
    point_s=3.0, point_requests=1000, least_s=1.5, confirm_s=6.0, confirm_least_s=6.0, warm_up_s=0.5, sweep_s=1.0
)
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
    """One search: the share of a core that was burnt, the rate found, and means in cores over all that was measured.

    `foreign_cores` and `stolen_cores` are of the repeats at the rate found, `largest_foreign_cores` of any point;
    `interrupt_cores` and `kernel_cores` are what interrupts and the kernel's threads took during the search.
    """

    burnt: float
    rate_per_s: float
    foreign_cores: float
    stolen_cores: float
    largest_foreign_cores: float
    marked: str
    interrupt_cores: float
    kernel_cores: float
    seconds: float


def main() -> int:
    """Measure every share; the exit status says whether each result was near the quiet one or marked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--model", default="onnx_fp32")
    parser.add_argument("--server-python")
    parser.add_argument("--objective", default="p95<=100ms")
    parser.add_argument("--shares", default="0.05,0.1,0.2,0.33,0.5", help="of a core (default %(default)s)")
    parser.add_argument("--within-s", type=float, default=480.0, help="no search begins that would end later")
    parser.add_argument("--output", type=Path, default=Path("disturbance.json"), help="default %(default)s")
    options = parser.parse_args()
    shares = [0.0, *(float(text) for text in options.shares.split(",")), 0.0]
    program = find_tritonserver(None, options.server_python)
    started, rows = time.perf_counter(), []
    with (
        tempfile.TemporaryDirectory() as scratch,
        TritonProcess(program, options.repository, pick_ports(), Path(scratch, "tritonserver.log")) as server,
        closing(Control(server.grpc_address, server)) as control,
    ):
        control.load(options.model, 300.0)
        here = Surroundings(machine=Machine())
        with closing(Meter(control, _endpoint(server), options.model, Thoroughness(EFFORT), here)) as meter:
            unloaded_ms, curve = meter.unloaded_ms(), meter.sweep(lambda _: None)
            longest = 0.0
            for number, share in enumerate(shares):
                # The last one is the quiet search again: its time is kept free.
                kept_free = longest if number < len(shares) - 1 else 0.0
                if time.perf_counter() - started + longest + kept_free > options.within_s:
                    print(f"{share:g} of a core: left out, the time is over", file=sys.stderr)
                    continue
                row = _searched(meter, parse_objective(options.objective), share, unloaded_ms, curve)
                longest = max(longest, row.seconds)
                rows.append(row)
                print(f"{share:g} of a core: {row.rate_per_s:.1f} req/s in {row.seconds:.0f} s", file=sys.stderr)
                if not row.rate_per_s and share == 0:
                    break  # nothing to compare with: _report says so
    return _report(rows, Machine().look(0.2), options.output, " ".join(sys.argv))


def _endpoint(server: TritonProcess) -> Endpoint:
    return Endpoint(server.grpc_address, server.grpc_address, metrics_url=server.metrics_url, local=True)


def _searched(
    meter: Meter, objective: Objective, share: float, unloaded_ms: float, curve: tuple[SweepPoint, ...]
) -> Row:
    """One search beside a process that burns so much; all of them start from the same curve."""
    files, begun = MachineFiles.own(), time.perf_counter()
    meter.forget_points()
    with _burning(share):
        before = files.read()
        found = meter.find(objective, curve, _say)
        after = files.read()
    result = meter.result(found, unloaded_ms, curve, None)
    foreign, stolen = _means(result)
    interrupts, kernel = _kernel_cores(before, after)
    return Row(
        burnt=share,
        rate_per_s=result.rate_per_s or 0.0,
        foreign_cores=foreign,
        stolen_cores=stolen,
        largest_foreign_cores=max(p.disturbance.foreign_cores or 0.0 for p in result.points if p.disturbance),
        marked=result.disturbed,
        interrupt_cores=interrupts,
        kernel_cores=kernel,
        seconds=time.perf_counter() - begun,
    )


def _say(_: Objective, point: Point) -> None:
    verdict = point.invalid_reason or ("kept" if point.kept else "missed")
    print(f"  {point.purpose:8} {point.rate_per_s:8.1f} req/s  {verdict}  {point.disturbance}", file=sys.stderr)


def _means(result: ModelResult) -> tuple[float, float]:
    """Foreign and stolen cores over the repeats at the rate found, or over all points where none was found."""
    seen = [p.disturbance for p in (result.confirmations or result.points) if p.disturbance]
    foreign = [one.foreign_cores or 0.0 for one in seen]
    return sum(foreign) / len(seen), sum(one.stolen_cores for one in seen) / len(seen)


def _kernel_cores(before: Reading | None, after: Reading | None) -> tuple[float, float]:
    """What interrupts and the kernel's threads took, in cores."""
    assert before is not None and after is not None, "this machine has no /proc"
    elapsed_s = after.at_s - before.at_s
    interrupts = sum(after.cpus[cpu].interrupts - before.cpus[cpu].interrupts for cpu in after.cpus)
    kernel = after.kernel_ticks() - before.kernel_ticks()
    return interrupts / TICKS_PER_S / elapsed_s, kernel / TICKS_PER_S / elapsed_s


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


def _report(rows: list[Row], machine: object, output: Path, command: str) -> int:
    """The table, the threshold that follows, and the JSON; 1 when a disturbed search passed for a good one."""
    cores = float(getattr(machine, "cores", 0.0))
    quiet = [row.rate_per_s for row in rows if row.burnt == 0]
    reference = min(quiet, default=0.0) and sum(quiet) / len(quiet)
    if not reference:
        print("the objective was not met without a burner: this machine is not quiet, or not fast enough")
        return 1
    allowed = max(EFFORT.precision, (max(quiet) - min(quiet)) / reference)
    print(" burnt  taken by others  largest  stolen   irq kernel    req/s    moved")
    threshold, passed, good = 0.0, True, True
    for row in sorted(rows, key=lambda row: row.burnt):
        moved = row.rate_per_s / reference - 1
        share = (row.foreign_cores + row.stolen_cores) / cores
        passed = passed and abs(moved) <= allowed
        threshold = max(threshold, share) if passed else threshold
        good = good and (abs(moved) <= WITHIN or bool(row.marked))
        print(
            f"{row.burnt:6.2f} {row.foreign_cores:8.3f} = {100 * share:4.1f} % {row.largest_foreign_cores:8.3f} "
            f"{row.stolen_cores:7.3f} {row.interrupt_cores:5.2f} {row.kernel_cores:6.2f} {row.rate_per_s:8.1f} "
            f"{100 * moved:+6.1f} %  {'marked' if row.marked else ''}"
        )
    print(
        f"of {cores:g} cores; the search's precision and the quiet searches allow {100 * allowed:.1f} %: threshold "
        f"{100 * threshold:.1f} % of the cores (now: {100 * MOST_TAKEN_SHARE:g} %)"
    )
    noisy = any(row.marked for row in rows if row.burnt == 0) or allowed > WITHIN
    if noisy:
        why = f"quiet searches lie {100 * allowed:.0f} % apart" if allowed > WITHIN else "others took a part of it"
        print(f"this machine was not quiet without a burner either ({why}): the threshold means nothing")
    facts = {
        "command": command,
        "rows": [asdict(row) for row in rows],
        "quiet": not noisy,
        "quiet_per_s": reference,
        "allowed": allowed,
        "suggested_share": threshold,
        "share_now": MOST_TAKEN_SHARE,
        "environment": describe_environment(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"written: {output}")
    return 0 if good and not noisy else 1


if __name__ == "__main__":
    sys.exit(main())
