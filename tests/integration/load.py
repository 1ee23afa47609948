"""Steady load from inside the cluster: slo_tuner's open loop, for each stream by itself, until SIGTERM.

    python3 load.py RATE BURST STREAM=PROTOCOL@ADDRESS/MODEL[?server=HOST]...

The requests of each stream arrive at random, BURST at once, RATE a second in the mean: a number, or steps of seconds
and rates, 60x5,30x20. Prints `steady` when every stream has answers, and at the end one line of JSON: each stream's
requests and failures. HOST is the server's, where the address is that of a gateway. Runs in a Pod of the load
generator's image.
"""

import http.client
import json
import signal
import sys
import time
from collections import Counter

import locust  # noqa: F401  first: it replaces the standard library's sockets by gevent's

# isort: split
import gevent
import grpc
import numpy as np
from gevent.event import Event
from locust.env import Environment

from slo_tuner.load.arrivals import endless_arrivals
from slo_tuner.load.generator import UsersRun
from slo_tuner.load.payload import Payload, make_payload
from slo_tuner.load.transport import RequestError, Target, Transport, open_transport
from slo_tuner.load.users import OpenLoopUser, Route, make_user
from slo_tuner.triton.control import Control

TIMEOUT_S = 10.0
# Triton keeps an HTTP connection as long as its client does, so a client of a Service has to move on by itself.
HTTP_CONNECTION_AGE_S = 5.0
LONGEST_S = 600.0
# `late_shares` of a stream are the shares of its requests that took longer than these.
LIMITS_MS = (60, 80, 100, 150, 200, 500, 1000)
# As docs/how-to/reliability.md recommends all three. An inference may be sent twice without harm; the servers of these
# tests stop sooner than gRPC would ask DNS again by itself.
DNS_PAUSE_MS = 1000
RETRY_BUFFER_BYTES = 16 << 20
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "inference.GRPCInferenceService"}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


class Retrying:
    """A gRPC transport as the documents recommend it: gRPC itself sends a request again that no server took.

    slo_tuner's own does not, as a measurement must not hide errors.
    """

    def __init__(self, address: str, payload: Payload) -> None:
        options = [
            ("grpc.lb_policy_name", "round_robin"),
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
            ("grpc.dns_min_time_between_resolutions_ms", DNS_PAUSE_MS),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._call = self._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        self._body = payload.grpc_body

    def send(self, turn: int = 0) -> int:
        try:
            return len(self._call(self._body, timeout=TIMEOUT_S))
        except grpc.RpcError as error:
            raise RequestError(f"{error.code().name}: {(error.details() or '')[:160]}") from None

    def close(self) -> None:
        self._channel.close()


class Renewed:
    """An HTTP transport that uses no connection for longer than HTTP_CONNECTION_AGE_S."""

    def __init__(self, address: str, payload: Payload) -> None:
        self._address, self._payload = address, payload
        self._open()

    def _open(self) -> None:
        # The old one is not closed: requests may be under way on it, and its connections close with the last of them.
        self._transport = open_transport("http", Target(self._address, TIMEOUT_S), (self._payload,))
        self._since = time.monotonic()

    def send(self, turn: int = 0) -> int:
        if time.monotonic() - self._since > HTTP_CONNECTION_AGE_S:
            self._open()
        return self._transport.send()

    def close(self) -> None:
        self._transport.close()


def kept(address: str, payload: Payload) -> Transport:
    """An HTTP transport that uses its connections for as long as they last."""
    return open_transport("http", Target(address, TIMEOUT_S), (payload,))


class Rest:
    """TensorFlow Serving's REST API, each request on a connection of its own."""

    def __init__(self, address: str, payload: Payload) -> None:
        self._address, self._model = address, f"/v1/models/{payload.model}"
        signatures = json.loads(self._ask("GET", f"{self._model}/metadata"))["metadata"]["signature_def"]
        (tensor,) = signatures["signature_def"]["serving_default"]["inputs"].values()
        shape = [int(dim["size"]) for dim in tensor["tensor_shape"]["dim"]][1:]
        self._body = json.dumps({"instances": [np.zeros(shape).tolist()]})

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Connection": "close"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RequestError(f"{type(error).__name__}: {error}"[:160]) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise RequestError(f"HTTP {answer.status}: {content.decode(errors='replace')[:160]}")
        return content

    def send(self, turn: int = 0) -> int:
        return len(self._ask("POST", f"{self._model}:predict", self._body))

    def close(self) -> None:
        """There is no connection that outlives its request."""


TRANSPORTS = {"grpc": Retrying, "http": Renewed, "kept": kept, "rest": Rest}


class Steps:
    """A rate that changes: seconds of each; the last one stays."""

    def __init__(self, text: str) -> None:
        self._steps = [tuple(map(float, part.split("x"))) for part in text.split(",")]
        self._started = 0.0

    def __call__(self) -> float:
        self._started = self._started or time.monotonic()
        left = time.monotonic() - self._started
        for seconds, rate in self._steps:
            if (left := left - seconds) < 0:
                return rate
        return self._steps[-1][1]


class Stream:
    """One flow of requests, and what became of each."""

    def __init__(self, text: str, rate_per_s: float | Steps, burst: int) -> None:
        self.name, _, rest = text.partition("=")
        self.protocol, _, rest = rest.partition("@")
        rest, _, self.server = rest.partition("?server=")
        self.address, _, self.model = rest.rpartition("/")
        self.rate_per_s, self.burst = rate_per_s, burst
        self.latencies_ms: list[float] = []
        self.failures: list[dict[str, object]] = []
        self.user = self._user()
        self.environment = Environment()
        self.environment.events.request.add_listener(self._record)

    def _user(self) -> type[OpenLoopUser]:
        host = self.server or self.address.removeprefix("dns:///").rpartition(":")[0].replace("-headless", "")
        control = Control(f"{host}:8001")
        control.check_reachable(30.0)
        payload = make_payload(control.metadata(self.model), control.config(self.model).max_batch_size, {})
        control.close()
        transport: Transport = TRANSPORTS[self.protocol](self.address, payload)
        route = Route(self.model, self.protocol, transport)
        rate, burst = self.rate_per_s, self.burst
        bursts = endless_arrivals((lambda: rate() / burst) if isinstance(rate, Steps) else rate / burst)
        offsets_s = (at_s for at_s in bursts for _ in range(self.burst))
        return make_user(OpenLoopUser, route=route, offsets_s=offsets_s)

    def _record(self, response_time: float, exception: Exception | None, **_: object) -> None:
        self.latencies_ms.append(response_time)
        if exception is not None:
            self.failures.append({"at": time.time(), "reason": str(exception)})

    def start(self) -> None:
        self.environment.create_local_runner()
        self.run = UsersRun(self.environment, self.user, 1)

    def finish(self) -> dict[str, object]:
        self.run.stop()
        self.run.join(TIMEOUT_S + 5)
        latencies = np.array(self.latencies_ms)
        return {
            "stream": self.name,
            "requests": len(latencies),
            "failed": len(self.failures),
            "reasons": dict(Counter(str(one["reason"]) for one in self.failures)),
            "failures": self.failures[:200],
            "p50_ms": round(float(np.quantile(latencies, 0.5)), 1),
            "p99_ms": round(float(np.quantile(latencies, 0.99)), 1),
            "late_shares": {limit: round(float((latencies > limit).mean()), 5) for limit in LIMITS_MS},
        }


def main(rate: str, burst: int, texts: list[str]) -> None:
    stopped = Event()
    gevent.signal_handler(signal.SIGTERM, stopped.set)
    streams = [Stream(text, Steps(rate) if "x" in rate else float(rate), burst) for text in texts]
    for stream in streams:
        stream.start()
    started = time.monotonic()
    while min(len(stream.latencies_ms) for stream in streams) < 20 and not stopped.wait(0.1):
        pass
    print("steady", flush=True)
    stopped.wait(LONGEST_S)
    seconds = time.monotonic() - started
    summary = [stream.finish() for stream in streams]
    print(json.dumps({"rate_per_s": rate, "seconds": round(seconds, 1), "streams": summary}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
