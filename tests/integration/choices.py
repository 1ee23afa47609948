"""Values for tests: the product's defaults, made small and quick enough for a node with two cores."""

from __future__ import annotations

import json
from typing import Any

Values = dict[str, Any]
# A stopping Pod still waits for all of its clients, but not as long for each as in production.
QUICK_DRAIN: Values = {
    "server": {
        "grpcMaxConnectionAgeSeconds": 5,
        "grpcMaxConnectionAgeGraceSeconds": 5,
        "exitTimeoutSeconds": 10,
        "sharedMemory": "128Mi",
    },
    "lifecycle": {"endpointPropagationSeconds": 5, "quietSeconds": 2, "drainDeadlineSeconds": 60},
    "rollout": {"minReadySeconds": 2},
}
SMALL: Values = {"resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}}


def merged(*choices: Values) -> Values:
    """One set of values of several, as Helm merges files: the later wins, dictionary by dictionary."""
    result: Values = {}
    for one in choices:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


# What the tests' models are called, as a plan that would build them.
_NAMES = ("onnx_fp32", "onnx_int8", "faulty", "interactive", "bulk")
_PLAN = json.dumps({"model": {"name": "tiny"}, "variants": [{"name": name} for name in _NAMES]})


def prebuilt(images: dict[str, str], *, spoil: str = "true") -> Values:
    """The repository of plans/tiny.yaml from an image; `spoil` is bash that changes it."""
    repository, _, tag = images["repository"].rpartition(":")
    builder = {
        "plan": _PLAN,
        "extraEnv": [{"name": "SPOIL", "value": spoil}],
        "image": {"repository": repository, "tag": tag},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    return {"modelRepository": {"builder": builder}}


def slower(model: str, seconds: float) -> str:
    """What `prebuilt` takes as `spoil`: each execution of a batch takes so much longer."""
    return f"""cat >>{model}/1/model.py <<'END'
import time
execute = TritonPythonModel.execute
TritonPythonModel.execute = lambda self, requests: time.sleep({seconds:g}) or execute(self, requests)
END"""


def server(images: dict[str, str], *more: Values, models: list[str] | None = None, replicas: int = 1) -> Values:
    """A small server of the prebuilt repository, to use with values/cpu.yaml."""
    chosen = {"modelRepository": {"models": models or ["onnx_fp32"]}, "scaling": {"replicas": replicas}}
    return merged(SMALL, QUICK_DRAIN, prebuilt(images), chosen, *more)
