"""The part of a generated model.py that loads and runs model.xml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import openvino
except ModuleNotFoundError:
    raise RuntimeError("this server's python3 has no package openvino: pip install openvino") from None


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt.

    Threads are those of all instances, one stream each: of a process for each instance, this one has its share.
    """
    if device is not None:
        raise RuntimeError("config.pbtxt asks for a GPU, and this model.py runs OpenVINO on the CPU alone")
    settings: dict[str, Any] = {
        # Whatever else OpenVINO takes for fast: on a CPU with AMX it would choose BF16 by itself.
        "INFERENCE_PRECISION_HINT": "bf16" if parameters.get("HINT_BF16") == "YES" else "f32",
        "NUM_STREAMS": "1",
        # Each instance is a process that knows nothing of the others: all would pin themselves to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    threads = int(parameters.get("INFERENCE_NUM_THREADS", 0))
    if threads:
        settings["INFERENCE_NUM_THREADS"] = max(1, threads // int(parameters.get("NUM_STREAMS", 1)))
    request = openvino.Core().compile_model(folder / "model.xml", "CPU", settings).create_infer_request()

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        results = request.infer(arrays, share_inputs=True)
        return {name: results[name] for name in outputs}

    return run
