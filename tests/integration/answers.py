"""A model's answer to one seeded image: from the cluster over both protocols, and from the artefact itself."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster import kubectl
from release import start_pod, wait_for_end

ASK = (Path(__file__).parent / "ask.py").read_text()
LOCAL = """
import json, sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
tensor = session.get_inputs()[0]
shape = [size if isinstance(size, int) else 1 for size in tensor.shape]
image = numpy.random.default_rng(7).uniform(0, 255, shape).astype(numpy.float32)
print(json.dumps([float(value) for value in session.run(None, {tensor.name: image})[0].ravel()]))
"""


def ask(namespace: str, image: str, host: str, model: str) -> dict[str, Any]:
    """The answers of a server over `http` and `grpc`, each with the name of the `model` and its `output`."""
    return ask_at(namespace, image, {"http": f"{host}:8000", "grpc": f"{host}:8001"}, model)


def ask_at(namespace: str, image: str, addresses: Mapping[str, str], model: str) -> dict[str, Any]:
    """The same, where each protocol has its address as host:port."""
    pod = f"ask-{model.replace('_', '-')}"
    kubectl("-n", namespace, "delete", "pod", pod, "--ignore-not-found")
    start_pod(
        namespace, pod, image, ["python3", "/task/ask.py", addresses["http"], addresses["grpc"], model], {"ask.py": ASK}
    )
    return dict(json.loads(wait_for_end(namespace, pod).splitlines()[-1]))


def local_output(builder_python: str, models: Path, model: str) -> list[float]:
    """What ONNX Runtime makes of the same image with the artefact that was built on this machine."""
    command = [builder_python, "-c", LOCAL, str(models / model / "1" / "model.onnx")]
    return list(json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout))


def close(left: list[float], right: list[float]) -> bool:
    """Equal but for rounding: kernels differ between CPUs."""
    pairs = zip(left, right, strict=True)
    return all(math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-4) for one, other in pairs)
