"""The part of a generated model.py that loads and runs model.onnx."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", 0))
    options.inter_op_num_threads = 1
    spinning = "session.intra_op.allow_spinning"
    if spinning in parameters:
        options.add_session_config_entry(spinning, parameters[spinning])
    providers: list[Any] = [] if device is None else [("CUDAExecutionProvider", {"device_id": device})]
    providers.append("CPUExecutionProvider")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=providers)

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(outputs, session.run(outputs, arrays), strict=True))

    return run
