"""CPU time of the load generator per request, and how late it sends: `nox -s generator_benchmark`.

The servers do nothing, in processes of their own; what is measured is the generator. With `-- --workers 8` that many
worker processes make the load, and the master's part is not counted. With `--tls` the servers are behind TLS, by a
certificate that openssl makes for this run (ECDSA P-256). At low rates the polling of idle connections is
most of the cost. `--generator-cores 0-7 --server-cores 8-15` keeps both apart. `--compare` searches the highest rate of
a server of known capacity by both generators of this process, sockets and users of Locust, and prints both. The last
line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import locust  # noqa: F401  before any socket
import numpy as np
import psutil
from tritonclient.grpc import service_pb2

from command_line.environment import describe_machine
from slo_tuner.access.client_access import Access
from slo_tuner.load.distributed import Distributed
from slo_tuner.load.generator import Generator, InProcess
from slo_tuner.load.master import LoadMaster, WorkerRendezvous
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload, make_payload
from slo_tuner.load.worker_processes import WorkerProcesses
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.rate_search import Limits, search

SERVER = Path(__file__).with_name("trivial_server.py")


def main() -> int:
    """Print a table, and the same as JSON."""
    options = _options()
    payload = _payload(options.datatype)
    with ExitStack() as stack:
        _stay_on(options.server_cores)
        service = [str(options.service_ms)] if options.compare else []
        access, tls = _tls(stack) if options.tls else (Access(), [])
        scheme = {"grpc": "grpcs://", "http": "https://"}[options.protocol] if options.tls else ""
        servers = [stack.enter_context(_server(options.protocol, *service, *tls)) for _ in range(options.servers)]
        _stay_on(options.generator_cores)
        address = ",".join(f"{scheme}127.0.0.1:{port}" for port, _ in servers)
        work = Assignment(options.protocol, address, 5.0, (payload,), access=access)
        if options.compare:
            return _compare(work, options)
        generator = _generator(work, options, stack)
        processes = [process for _, process in servers]
        rows = [_row(generator, float(rate), processes, options) for rate in options.rates.split(",")]
    _print(options, payload, rows)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1, help="processes that make the load (default %(default)s)")
    parser.add_argument("--rates", default="100,200,400", help="requests per second (default %(default)s)")
    parser.add_argument("--datatype", default="FP32", help="FP32 (602 kB) or UINT8 (151 kB) images")
    parser.add_argument("--protocol", default="grpc", choices=("grpc", "http"))
    parser.add_argument("--tls", action="store_true", help="the servers are behind TLS")
    parser.add_argument("--generator", default="sockets", choices=("sockets", "users"), help="users: one process")
    parser.add_argument("--servers", type=int, default=1, help="that share the requests (default %(default)s)")
    parser.add_argument("--generator-cores", default="", help="like 0-7; default: all")
    parser.add_argument("--server-cores", default="", help="like 8-15; default: all")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a point (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="points of a rate (default %(default)s)")
    parser.add_argument("--compare", action="store_true", help="the highest rate of one server, found by both")
    parser.add_argument("--service-ms", type=float, default=5.0, help="of a request, with --compare")
    return parser.parse_args()


def _tls(stack: ExitStack) -> tuple[Access, list[str]]:
    """A certificate for this machine's loopback: how the load trusts it, and the server's arguments."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    certificate, key = folder / "server.crt", folder / "server.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=generator benchmark", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*made, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return Access(ca=certificate), ["--tls", str(certificate), str(key)]


def _stay_on(cores: str) -> None:
    """Run on these processors from now on, as the processes will that are started next."""
    if cores:
        first, _, last = cores.partition("-")
        os.sched_setaffinity(0, range(int(first), int(last or first) + 1))


@contextmanager
def _server(protocol: str, *arguments: str) -> Iterator[tuple[int, psutil.Process]]:
    chosen = [*(["http"] if protocol == "http" else []), *arguments]
    server = subprocess.Popen([sys.executable, str(SERVER), *chosen], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline()), psutil.Process(server.pid)
    finally:
        server.kill()
        server.wait()


def _generator(work: Assignment, options: argparse.Namespace, stack: ExitStack) -> Generator:
    generator: Generator
    if options.workers > 1:
        logs = stack.enter_context(TemporaryDirectory())
        processes = WorkerProcesses(Path(logs) / "workers.log", work.access)
        master = stack.enter_context(LoadMaster(WorkerRendezvous(options.workers), processes))
        generator = Distributed(master, work)
    else:
        generator = InProcess(work if options.generator == "sockets" else work.route())
    stack.callback(generator.close)
    return generator


def _payload(datatype: str) -> Payload:
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="image", datatype=datatype, shape=[-1, 224, 224, 3])
    return make_payload(metadata, 64, {})


def _row(
    generator: Generator, rate: float, servers: list[psutil.Process], options: argparse.Namespace
) -> dict[str, float]:
    target = Target("m", generator, None)
    timing = Timing(warm_up_s=1.0, duration_s=options.seconds, least_s=options.seconds, sequential=False)
    points, before, begun = [], _cpu_s(servers), time.monotonic()
    for repeat in range(options.repeats):
        points.append(
            measure_point(target, Objective(limit_ms=100), PointSpec(rate, "single", 1, repeat), timing).point
        )
    sent = options.repeats * rate * (options.seconds + 1.0)
    costs = [point.generator_cpu_ms for point in points]
    latencies = [point.latency.p95_ms for point in points if point.latency]
    return {
        "rate_per_s": rate,
        "cpu_ms": float(np.mean(costs)),
        "least": min(costs),
        "most": max(costs),
        "generator_cores": float(np.mean(costs)) * rate / 1000,
        "send_delay_p95_ms": float(np.mean([point.send_delay_p95_ms for point in points])),
        "latency_p95_ms": float(np.mean(latencies)) if latencies else 0.0,
        "failed": sum(point.errors for point in points),
        "unsent": sum(point.due - point.requests for point in points),
        "server_cpu_ms": (_cpu_s(servers) - before) * 1000 / sent,
        "seconds": time.monotonic() - begun,
    }


def _cpu_s(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(one.user + one.system for one in times)


def _compare(work: Assignment, options: argparse.Namespace) -> int:
    """Search with both generators, in turns; 1 when their rates differ by more than 3 %."""
    capacity = options.servers * 1000 / options.service_ms
    limits = Limits(
        start_rate=0.8 * capacity,
        lowest_rate=0.02 * capacity,
        objective=Objective(limit_ms=10 * options.service_ms),
        precision=0.02,
        repeats=3,
    )
    timing = Timing(warm_up_s=1.0, duration_s=options.seconds, least_s=options.seconds, sequential=False)
    found: dict[str, list[float]] = {"sockets": [], "users": []}
    for repeat in range(options.repeats):
        for name, rates in found.items():
            generator = InProcess(work if name == "sockets" else work.route())
            target = Target("m", generator, None)
            result = search(
                lambda rate, purpose, target=target, seed=repeat: measure_point(  # type: ignore[misc]
                    target, limits.objective, PointSpec(rate, purpose, 1, seed), timing
                ).point,
                limits,
            )
            generator.close()
            rates.append(result.rate_per_s or 0.0)
            limited = " (the generator was the limit)" if result.generator_limited else ""
            print(f"{name}: {rates[-1]:.1f} requests/s{limited}", flush=True)
    means = {name: float(np.mean(rates)) for name, rates in found.items()}
    ratio = means["sockets"] / means["users"] if means["users"] else 0.0
    print(json.dumps({"machine": str(describe_machine()), "rates": found, "ratio": ratio}))
    return 0 if abs(ratio - 1) <= 0.03 else 1


def _print(options: argparse.Namespace, payload: Payload, rows: list[dict[str, float]]) -> None:
    machine, chosen = describe_machine(), vars(options)
    size_kb = len(payload.grpc_body if options.protocol == "grpc" else payload.http_body) / 1000
    protocol = f"{options.protocol} over TLS" if options.tls else options.protocol
    print(
        f"{protocol} requests of {size_kb:.0f} kB, {options.workers} workers ({options.generator}), "
        f"{options.servers} servers, {machine}, {options.repeats} repeats of {options.seconds:g} s"
    )
    print("| requests/s | CPU ms per request (mean, min to max) | cores | send delay P95 ms | server CPU ms |")
    print("|---|---|---|---|---|")
    for row in rows:
        spread = f"{row['cpu_ms']:.3f} ({row['least']:.3f} to {row['most']:.3f})"
        shares = f"{row['generator_cores']:.2f} | {row['send_delay_p95_ms']:.2f} | {row['server_cpu_ms']:.3f}"
        print(f"| {row['rate_per_s']:g} | {spread} | {shares} |")
    print(json.dumps({"machine": str(machine), "options": chosen, "request_kb": size_kb, "rows": rows}))


if __name__ == "__main__":
    sys.exit(main())
