"""Five streams of clients as users have them, without a line of slo_tuner, until SIGTERM.

    python3 independent.py RATE_PER_S RELEASE NAMESPACE MODEL RETRY_POLICY

Each stream sends RATE_PER_S requests a second, at random times, whatever the servers do, and counts what was sent and
what failed. RETRY_POLICY is the service config of docs/how-to/reliability.md, for the stream that follows it. Prints
`steady` when every stream has answers, and at the end one line of JSON. Runs in a Pod of the load generator's image.
"""

import json
import queue
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tritonclient.grpc as triton
import urllib3

TIMEOUT_S = 10.0
LONGEST_S = 600.0
THREADS = 64

Send = Callable[[], None]
"""Sends one request; whatever it raises is why that failed."""


class Model:
    """A request of one model, as both protocols send it."""

    def __init__(self, host: str, name: str) -> None:
        asked = urllib3.request("GET", f"http://{host}:8000/v2/models/{name}", timeout=TIMEOUT_S)
        (tensor,) = json.loads(asked.data)["inputs"]
        shape = [max(1, int(size)) for size in tensor["shape"]]
        content = np.zeros(shape, dtype=np.float32)
        self.name = name
        self.input = triton.InferInput(tensor["name"], shape, tensor["datatype"])
        self.input.set_data_from_numpy(content)
        binary = {"binary_data_size": content.nbytes}
        described = {"name": tensor["name"], "shape": shape, "datatype": tensor["datatype"], "parameters": binary}
        header = json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode()
        self.body = header + content.tobytes()
        self.headers = {"Inference-Header-Content-Length": str(len(header))}


def over_http(host: str, model: Model, kept: bool) -> Send:
    """HTTP on connections that are kept for ever, or each request on one of its own."""
    pool = urllib3.HTTPConnectionPool(host, 8000, maxsize=THREADS, retries=False, timeout=TIMEOUT_S)
    headers = model.headers if kept else {**model.headers, "Connection": "close"}

    def send() -> None:
        answer = pool.request("POST", f"/v2/models/{model.name}/infer", body=model.body, headers=headers)
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}: {answer.data[:100]!r}")

    return send


def over_grpc(address: str, model: Model, *options: tuple[str, str | int]) -> Send:
    """gRPC on one channel of tritonclient."""
    client = triton.InferenceServerClient(address, channel_args=list(options) or None)

    def send() -> None:
        client.infer(model.name, [model.input], client_timeout=TIMEOUT_S)

    return send


class Stream:
    """One flow of requests, and what became of each."""

    def __init__(self, name: str, send: Send, rate_per_s: float) -> None:
        self.name, self._send, self._rate_per_s = name, send, rate_per_s
        self._done: queue.SimpleQueue[tuple[float, float, str]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(THREADS)
        self._stopping = threading.Event()
        self._arriving = threading.Thread(target=self._arrive)
        self._arriving.start()

    @property
    def answered(self) -> int:
        return self._done.qsize()

    def _arrive(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self._pool.submit(self._request, due)
            due += random.expovariate(self._rate_per_s)

    def _request(self, due: float) -> None:
        reason = ""
        try:
            self._send()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:160]
        self._done.put((time.time(), (time.monotonic() - due) * 1000, reason))

    def finish(self) -> dict[str, object]:
        self._stopping.set()
        self._arriving.join()
        self._pool.shutdown()
        rows = [self._done.get() for _ in range(self._done.qsize())]
        latencies = [latency for _, latency, _ in rows]
        failures = [{"at": at, "reason": reason} for at, _, reason in rows if reason]
        return {
            "stream": self.name,
            "requests": len(rows),
            "failed": len(failures),
            "reasons": dict(Counter(str(one["reason"]) for one in failures)),
            "failures": failures[:200],
            "p50_ms": round(float(np.quantile(latencies, 0.5)), 1),
            "p99_ms": round(float(np.quantile(latencies, 0.99)), 1),
        }


def main(rate_per_s: float, release: str, namespace: str, model_name: str, policy: str) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    service = f"{release}.{namespace}.svc.cluster.local"
    headless = f"dns:///{release}-headless.{namespace}.svc.cluster.local:8001"
    model = Model(service, model_name)
    balanced = ("grpc.lb_policy_name", "round_robin")
    documented = (
        balanced,
        ("grpc.service_config", policy),
        ("grpc.per_rpc_retry_buffer_size", 16 << 20),
        ("grpc.dns_min_time_between_resolutions_ms", 1000),
    )
    sends = {
        "HTTP, new connections": over_http(service, model, kept=False),
        "HTTP, kept connections": over_http(service, model, kept=True),
        "gRPC, the Service": over_grpc(f"{service}:8001", model),
        "gRPC, round_robin": over_grpc(headless, model, balanced),
        "gRPC, as documented": over_grpc(headless, model, *documented),
    }
    started = time.monotonic()
    streams = [Stream(name, send, rate_per_s) for name, send in sends.items()]
    while min(stream.answered for stream in streams) < 5 and not stopped.wait(0.1):
        pass
    print("steady", flush=True)
    stopped.wait(LONGEST_S)
    seconds = time.monotonic() - started
    summary = [stream.finish() for stream in streams]
    print(json.dumps({"rate_per_s": rate_per_s, "seconds": round(seconds, 1), "streams": summary}), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
