"""CPU time of the load generator per request, against a server that does nothing: `nox -s generator_benchmark`.

The server runs in a process of its own; what is measured is this process: Locust, gevent, gRPC or HTTP, recording. An
idle process with the same connections is measured too: at low rates its polling is most of the cost.
"""

import json
import subprocess
import sys

import locust  # noqa: F401  before any socket
import numpy as np
from tritonclient.grpc import service_pb2

from slo_tuner.environment import describe_environment
from slo_tuner.objective import Objective
from slo_tuner.payload import make_payload
from slo_tuner.point import Target, Timing, measure_point
from slo_tuner.transport import open_transport

RATES = (100, 200, 400)
REPEATS = 3
SECONDS = 8.0

_SERVER = """
import time, grpc
from concurrent import futures
from tritonclient.grpc import service_pb2
answer = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(4000)]).SerializeToString()
class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)
server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
server.add_generic_rpc_handlers((Handler(),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
time.sleep(600)
"""


def main() -> int:
    """Print a table, and the same as JSON."""
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="image", datatype="FP32", shape=[-1, 224, 224, 3])
    payload = make_payload(metadata, 64, {})
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        transport = open_transport("grpc", f"127.0.0.1:{int(server.stdout.readline())}", payload, 5.0)
        for _ in range(20):
            transport.send()
        rows = [_row(transport, rate) for rate in RATES]
    finally:
        server.kill()
        server.wait()
    cpu = describe_environment({})["cpu"]
    print(f"gRPC requests of {payload.megabytes * 1000:.0f} kB, {cpu}, {REPEATS} repeats of {SECONDS:g} s")
    print("| requests/s | CPU ms per request (mean, min to max) | send delay P95 ms |\n|---|---|---|")
    for row in rows:
        spread = f"{row['cpu_ms']:.2f} ({row['least']:.2f} to {row['most']:.2f})"
        print(f"| {row['rate_per_s']} | {spread} | {row['delay_ms']:.2f} |")
    print(json.dumps({"cpu": cpu, "request_kb": payload.megabytes * 1000, "rows": rows}))
    return 0


def _row(transport: object, rate: int) -> dict[str, float]:
    target = Target("m", "grpc", transport, None)  # type: ignore[arg-type]
    timing = Timing(warm_up_s=0.5, duration_s=SECONDS, least_s=SECONDS, sequential=False)
    costs, delays = [], []
    for repeat in range(REPEATS):
        point = measure_point(target, Objective(limit_ms=100), rate, timing, 1, "single", seed=repeat).point
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
