"""CPU time of the load generator per request, against a server that does nothing: `nox -s generator_benchmark`.

The server runs in a process of its own; what is measured is the generator: Locust, gevent, gRPC, recording. With
`-- --workers 2` that many worker processes make the load, and the master's part is not counted. At low rates the
polling of idle connections is most of the cost.
"""

import argparse
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import locust  # noqa: F401  before any socket
import numpy as np
from tritonclient.grpc import service_pb2

from command_line.environment import describe_environment
from slo_tuner.load.distributed import Distributed
from slo_tuner.load.generator import Generator, InProcess
from slo_tuner.load.master import LoadMaster, WorkerRendezvous
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload, make_payload
from slo_tuner.load.worker_processes import WorkerProcesses
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.slo.objective import Objective

REPEATS = 3
SECONDS = 8.0


def main() -> int:
    """Print a table, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="processes that make the load (default %(default)s)")
    parser.add_argument("--rates", default="100,200,400", help="requests per second (default %(default)s)")
    parser.add_argument("--datatype", default="FP32", help="FP32 (602 kB) or UINT8 (151 kB) images")
    options = parser.parse_args()
    payload = _payload(options.datatype)
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("trivial_server.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        work = Assignment("grpc", f"127.0.0.1:{int(server.stdout.readline())}", 5.0, payload)
        with TemporaryDirectory() as logs:
            processes = WorkerProcesses(Path(logs) / "workers.log")
            load_master = (
                LoadMaster(WorkerRendezvous(options.workers), processes) if options.workers > 1 else nullcontext()
            )
            with load_master as started:
                generator: Generator = Distributed(started, work) if started else InProcess(work.route())
                rows = [_row(generator, float(rate)) for rate in options.rates.split(",")]
                generator.close()
    finally:
        server.kill()
        server.wait()
    _print(options.workers, payload, rows)
    return 0


def _payload(datatype: str) -> Payload:
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="image", datatype=datatype, shape=[-1, 224, 224, 3])
    return make_payload(metadata, 64, {})


def _print(workers: int, payload: Payload, rows: list[dict[str, float]]) -> None:
    facts = describe_environment() | {"load_workers": workers}
    print(
        f"gRPC requests of {payload.megabytes * 1000:.0f} kB, {workers} workers, {facts['cpu']} with "
        f"{facts['cpu_cores']} cores, {REPEATS} repeats of {SECONDS:g} s"
    )
    print("| requests/s | CPU ms per request (mean, min to max) | send delay P95 ms |\n|---|---|---|")
    for row in rows:
        spread = f"{row['cpu_ms']:.2f} ({row['least']:.2f} to {row['most']:.2f})"
        print(f"| {row['rate_per_s']:g} | {spread} | {row['delay_ms']:.2f} |")
    print(json.dumps({"environment": facts, "request_kb": payload.megabytes * 1000, "rows": rows}))


def _row(generator: Generator, rate: float) -> dict[str, float]:
    target = Target("m", generator, None)
    timing = Timing(warm_up_s=0.5, duration_s=SECONDS, least_s=SECONDS, sequential=False)
    costs, delays = [], []
    for repeat in range(REPEATS):
        point = measure_point(target, Objective(limit_ms=100), PointSpec(rate, "single", 1, seed=repeat), timing).point
        assert point.errors == 0 and point.requests == point.due, point
        costs.append(point.generator_cpu_ms)
        delays.append(point.send_delay_p95_ms)
    return {
        "rate_per_s": rate,
        "cpu_ms": float(np.mean(costs)),
        "least": min(costs),
        "most": max(costs),
        "delay_ms": float(np.mean(delays)),
    }


if __name__ == "__main__":
    sys.exit(main())
