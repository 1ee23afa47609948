"""Models of Triton's python backend that put a REST front to the test: large answers, a short queue, failures."""

from pathlib import Path

_MODEL = """import time
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse(self.answer(pb.get_input_tensor_by_name(one, "x").as_numpy())) for one in requests]

    def answer(self, x):
        {code}
"""
_ONE = """max_batch_size: {batch}
input {{ name: "x" data_type: TYPE_{dtype} dims: 1 }}
output {{ name: "y" data_type: TYPE_{dtype} dims: {dims} }}
instance_group {{ kind: KIND_CPU }}
"""
_QUEUE = "dynamic_batching { default_queue_policy { max_queue_size: 4 } }\n"
_ECHO = 'return [pb.Tensor("y", x)]'
# Each model's largest batch, type, dimensions of its output, more of its configuration, and what it does.
_MODELS = {
    "half": (8, "FP32", "1", "", 'return [pb.Tensor("y", x / 2)]'),
    "text": (8, "STRING", "1", "", _ECHO),
    "segments": (
        8,
        "FP32",
        "[512, 512, 21]",
        "",
        'return [pb.Tensor("y", np.full((len(x), 512, 512, 21), 0.1, np.float32))]',
    ),
    "queued": (2, "FP32", "1", _QUEUE, "time.sleep(0.02); " + _ECHO),
    "broken": (8, "FP32", "1", "", 'raise ValueError("index 7 is out of bounds")'),
}


def write_models(repository: Path) -> list[str]:
    """Write the model repository; the models' names."""
    for name, (batch, dtype, dims, more, code) in _MODELS.items():
        folder = repository / name / "1"
        folder.mkdir(parents=True)
        (folder / "model.py").write_text(_MODEL.format(code=code))
        config = 'backend: "python"\n' + _ONE.format(batch=batch, dtype=dtype, dims=dims) + more
        (repository / name / "config.pbtxt").write_text(config)
    return list(_MODELS)
