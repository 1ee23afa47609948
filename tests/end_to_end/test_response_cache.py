"""The response cache on the real tritonserver, with the arguments and by the hook of charts/triton."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import ROOT
from .echo_models import echo_model, ensemble

sys.path.insert(0, str(ROOT / "tests" / "chart"))

from render import one, render

COUNTING = """\
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.executions = 0

    def execute(self, requests):
        self.executions += 1
        inputs = [pb_utils.get_input_tensor_by_name(request, "in").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("out", i + self.executions)]) for i in inputs]
"""
"""No answer is like the one before: what comes twice comes from a cache."""
KINDS = ("cache_hit", "cache_miss", "success", "queue")
VALUES: dict[str, Any] = {
    "modelRepository": {
        "source": "url",
        "url": "gs://models",
        "models": ["cached", "plain"],
        "alias": "alias",
        "tuning": {"cached": {"responseCache": True}},
    },
    "server": {"responseCache": {"size": "1Mi"}},
}


def _arguments(manifests: list[dict[str, Any]], repository: Path) -> list[str]:
    """What the chart adds to tritonserver's arguments beyond the repository, which lies elsewhere here."""
    args = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"][1:]
    kept = ("--model-repository=", "--load-model=", "--cache-config=")
    return [argument.replace("gs://models", str(repository)) for argument in args if argument.startswith(kept)]


@pytest.fixture(scope="module")
def server(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """A model with the cache, one without, and the alias of the first, once the hook has run."""
    folder, manifests = tmp_path_factory.mktemp("cache"), render(VALUES)
    for name in ("cached", "plain"):
        echo_model(folder / "models", name, code=COUNTING)
    ensemble(folder / "models" / "cached" / "1" / "alias", "alias", "cached")
    (folder / "tuning.json").write_text(one(manifests, "ConfigMap", "-scripts")["data"]["tuning.json"])
    program = find_tritonserver(server_python=server_python)
    arguments = _arguments(manifests, folder / "models")
    assert "--cache-config=local,size=1048576" in arguments
    # An image has its caches where Triton looks for them, the wheel beside its backends.
    assert program.backends is not None
    caches = f"--cache-directory={program.backends.parent / 'caches'}"
    with TritonProcess(program, folder / "models", pick_ports(), folder / "log", [*arguments, caches]) as running:
        hook = [sys.executable, str(ROOT / "charts/triton/files/apply_tuning.py"), str(running.ports.http), "60"]
        done = subprocess.run(
            [*hook, str(folder / "tuning.json")], capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr + running.last_words()
        yield running


@pytest.fixture
def client(server: TritonProcess) -> Iterator[triton.InferenceServerClient]:
    """A client of the server."""
    with closing(triton.InferenceServerClient(server.grpc_address)) as opened:
        yield opened


def _answer(client: triton.InferenceServerClient, model: str, value: float) -> float:
    """What the model says to a row of this value."""
    tensor = triton.InferInput("in", [1, 4], "FP32")
    tensor.set_data_from_numpy(np.full((1, 4), value, np.float32))
    return float(client.infer(model, [tensor], client_timeout=30).as_numpy("out")[0, 0])


def _counts(client: triton.InferenceServerClient, model: str) -> dict[str, int]:
    """Triton's counts of a model: hits, misses, answered requests, those with a queue time, and executions."""
    stats = client.get_inference_statistics(model, as_json=True)["model_stats"][0]
    kinds = stats["inference_stats"]
    counts = {kind: int(kinds.get(kind, {}).get("count", 0)) for kind in KINDS}
    return counts | {"executions": int(stats.get("execution_count", 0))}


def _rose(client: triton.InferenceServerClient, before: dict[str, int], **expected: int) -> None:
    """Wait for these rises since `before`: Triton counts an execution after its answer."""
    deadline = time.monotonic() + 10
    while (rise := {name: n - before[name] for name, n in _counts(client, "cached").items()}) != expected:
        assert time.monotonic() < deadline, rise
        time.sleep(0.02)


def test_an_equal_request_is_answered_from_the_cache_and_another_is_not(client: triton.InferenceServerClient) -> None:
    before = _counts(client, "cached")
    first = _answer(client, "cached", 1.0)
    _rose(client, before, cache_hit=0, cache_miss=1, success=1, queue=1, executions=1)
    assert _answer(client, "cached", 1.0) == first
    # A hit runs nothing, and counts as a request: the mean queue time, by which Pods are added, is lower for it.
    _rose(client, before, cache_hit=1, cache_miss=1, success=2, queue=2, executions=1)
    assert _answer(client, "cached", 50.0) != first
    _rose(client, before, cache_hit=1, cache_miss=2, success=3, queue=3, executions=2)


def test_a_request_to_the_alias_is_answered_from_the_cache_of_its_model(client: triton.InferenceServerClient) -> None:
    before = _counts(client, "cached")
    first = _answer(client, "cached", 2.0)
    assert _answer(client, "alias", 2.0) == first
    _rose(client, before, cache_hit=1, cache_miss=1, success=2, queue=2, executions=1)


def test_a_model_without_it_runs_every_request(client: triton.InferenceServerClient) -> None:
    assert _answer(client, "plain", 1.0) != _answer(client, "plain", 1.0)
    assert _counts(client, "plain")["cache_hit"] == 0


def _metrics(server: TritonProcess) -> tuple[int, int]:
    """Answered requests and inferences of the cached model, as Prometheus sees them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.ports.metrics}/metrics", timeout=30) as response:
        text = response.read().decode()
    names = ("nv_inference_request_success", "nv_inference_count")
    first, second = (re.search(rf'^{name}{{model="cached".*?}} (\d+)$', text, re.M) for name in names)
    assert first is not None and second is not None, text
    return int(first[1]), int(second[1])


def test_prometheus_sees_a_hit_as_a_request_without_an_inference(
    server: TritonProcess, client: triton.InferenceServerClient
) -> None:
    before = _metrics(server)
    assert _answer(client, "cached", 3.0) == _answer(client, "cached", 3.0)
    deadline = time.monotonic() + 10
    while (rise := tuple(now - then for now, then in zip(_metrics(server), before, strict=True))) != (2, 1):
        assert time.monotonic() < deadline, rise
        time.sleep(0.1)


def test_the_hook_changed_nothing_but_the_cache(client: triton.InferenceServerClient) -> None:
    cached, plain = (json.dumps(client.get_model_config(name, as_json=True)["config"]) for name in ("cached", "plain"))
    changed = json.loads(cached.replace("cached", "plain"))
    assert changed.pop("response_cache") == {"enable": True}
    assert changed == json.loads(plain)
