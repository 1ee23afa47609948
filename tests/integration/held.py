"""Requests through a proxy that holds them while there is no server: each waits for as long as it has to.

python3 held.py one PROTOCOL ADDRESS HOST MODEL             asks for the model and for one inference of a seeded input
python3 held.py many ADDRESS MODEL RATE PROTOCOL=HOST...    at random times until SIGTERM, RATE a second and protocol

PROTOCOL is http or grpc, HOST the name by which the proxy knows where a request belongs. Prints one line of JSON at the
end. Runs in a Pod of the load generator's image.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import urllib3
from independent import Stream

# Longer than a start takes on a busy machine.
TIMEOUT_S = 180.0
LONGEST_S = 900.0
COLD = "X-KEDA-HTTP-Cold-Start"
LENGTH = "Inference-Header-Content-Length"


class Model:
    """A model behind the proxy: one seeded input, sent over one protocol."""

    def __init__(self, protocol: str, address: str, host: str, name: str) -> None:
        self.name, self._host, self._url = name, host, f"http://{address}/v2/models/{name}"
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=TIMEOUT_S)
        options = [("grpc.default_authority", host)]
        self._client = triton_grpc.InferenceServerClient(address, channel_args=options)
        self.cold: list[str] = []
        self.send: Callable[[], list[float]] = self._http if protocol == "http" else self._grpc
        tensor = self._metadata(protocol)["inputs"][0]
        shape = [max(1, int(size)) for size in tensor["shape"]]
        module = triton_http if protocol == "http" else triton_grpc
        self._input = module.InferInput(tensor["name"], shape, tensor["datatype"])
        self._input.set_data_from_numpy(np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32))

    def _metadata(self, protocol: str) -> dict[str, list[dict[str, str]]]:
        if protocol == "http":
            return dict(json.loads(self._answer("GET", "", None, {}).data))
        return dict(self._client.get_model_metadata(self.name, as_json=True, client_timeout=TIMEOUT_S))

    def _answer(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        answer = self._pool.request(method, f"{self._url}{path}", body=body, headers={"Host": self._host, **headers})
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}: {answer.data[:100]!r}")
        self.cold.append(answer.headers[COLD])
        return answer

    def _http(self) -> list[float]:
        client = triton_http.InferenceServerClient
        body, length = client.generate_request_body([self._input])
        answer = self._answer("POST", "/infer", body, {LENGTH: str(length)})
        result = client.parse_response_body(answer.data, header_length=int(answer.headers[LENGTH]))
        return [float(value) for value in result.as_numpy(result.get_response()["outputs"][0]["name"]).ravel()]

    def _grpc(self) -> list[float]:
        result = self._client.infer(self.name, [self._input], client_timeout=TIMEOUT_S)
        return [float(value) for value in result.as_numpy(result.get_response().outputs[0].name).ravel()]


def one(protocol: str, address: str, host: str, name: str) -> dict[str, object]:
    """How long the first request waited, whether the proxy calls that a cold start (HTTP only), and an inference."""
    started = time.monotonic()
    model = Model(protocol, address, host, name)
    held_s = time.monotonic() - started
    return {"held_s": round(held_s, 1), "cold": model.cold[:1], "output": model.send()}


def many(address: str, name: str, rate_per_s: float, texts: list[str]) -> dict[str, object]:
    """Each protocol's requests, failures, and how many waited for a Pod."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    models = {}
    for text in texts:
        protocol, _, host = text.partition("=")
        models[text] = Model(protocol, address, host, name)
    started = time.monotonic()
    waits: dict[str, list[float]] = {text: [] for text in texts}

    def timed(text: str) -> None:
        sent = time.monotonic()
        try:
            models[text].send()
        finally:
            waits[text].append(time.monotonic() - sent)

    streams = [Stream(text, lambda text=text: timed(text), rate_per_s) for text in texts]
    print("begun", flush=True)
    stopped.wait(LONGEST_S)
    seconds = time.monotonic() - started
    found = [stream.finish() for stream in streams]
    for each, text in zip(found, texts, strict=True):
        each |= {"held": sum(wait > 1 for wait in waits[text]), "longest_s": round(max(waits[text]), 1)}
    return {"rate_per_s": rate_per_s, "seconds": round(seconds, 1), "streams": found}


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "one":
        print(json.dumps(one(*arguments)))
    else:
        print(json.dumps(many(arguments[0], arguments[1], float(arguments[2]), arguments[3:])), flush=True)
