"""The part of a generated model.py that loads and runs model.onnx."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Its telemetry (seen with 1.31) keeps a number for this machine, and begins here unless it is told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt.

    Its attribute `prepare`, where the model takes texts, makes one request ready for it.
    """
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
        results = session.run(outputs, decoded(arrays))
        return {name: as_text(array, str, "encode") for name, array in zip(outputs, results, strict=True)}

    if any(one.type == "tensor(string)" for one in session.get_inputs()):
        run.prepare = decoded  # type: ignore[attr-defined]
    return run


def decoded(arrays: dict[str, Any]) -> dict[str, Any]:
    """The inputs with texts as str; ValueError names one that ONNX Runtime can't be given."""
    made = {}
    for name, array in arrays.items():
        try:
            made[name] = as_text(array, bytes, "decode")
        except UnicodeDecodeError as error:
            found = f"{name}: a text of {len(error.object)} bytes that is no UTF-8"
            raise ValueError(f"{found}; allowed: UTF-8, or a variant of the engine tensorflow") from None
    return made


def as_text(array: Any, kind: type, method: str) -> Any:
    """Texts as str for ONNX Runtime, as bytes for Triton; numbers as they are."""
    if not array.dtype.hasobject:
        return array
    changed = array.copy()
    flat = changed.reshape(-1)
    for index, item in enumerate(flat):
        if isinstance(item, kind):
            flat[index] = getattr(item, method)("utf-8")
    return changed
