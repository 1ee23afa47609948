"""A model repository without building: models that answer what they get after 20 ms, an ensemble, broken ones."""

import json
from pathlib import Path

_CONFIG = """\
name: "{name}"
backend: "python"
max_batch_size: 4
input [{{ name: "in" data_type: TYPE_FP32 dims: [ 4 ] }}]
output [{{ name: "out" data_type: TYPE_FP32 dims: [ 4 ] }}]
instance_group [{{ count: 1 kind: KIND_CPU }}]
dynamic_batching {{ }}
"""
_MODEL = """\
import time

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.02)
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("out", pb_utils.get_input_tensor_by_name(r, "in").as_numpy())])
            for r in requests
        ]
"""
BROKEN = "raise RuntimeError('there is no [/models/a/1/model.onnx] and no [[node x]]')\n"
_ENSEMBLE = """\
name: "{name}"
platform: "ensemble"
max_batch_size: 4
input [{{ name: "in" data_type: TYPE_FP32 dims: [ 4 ] }}]
output [{{ name: "out" data_type: TYPE_FP32 dims: [ 4 ] }}]
ensemble_scheduling {{ step [{{ model_name: "{part}" model_version: -1
  input_map {{ key: "in" value: "in" }} output_map {{ key: "out" value: "out" }} }}] }}
"""


def echo_model(repository: Path, name: str, versions: tuple[int, ...] = (1,), code: str = _MODEL) -> None:
    """A model of these versions, each with a manifest that names it; all versions are served."""
    folder = repository / name
    for version in versions:
        (folder / str(version)).mkdir(parents=True)
        (folder / str(version) / "model.py").write_text(code)
        (folder / str(version) / "manifest.json").write_text(json.dumps({"engine": f"version {version}"}))
    policy = "version_policy { all { } }\n" if len(versions) > 1 else ""
    (folder / "config.pbtxt").write_text(_CONFIG.format(name=name) + policy)


def ensemble(repository: Path, name: str, part: str) -> None:
    """An ensemble of one step."""
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(_ENSEMBLE.format(name=name, part=part))
