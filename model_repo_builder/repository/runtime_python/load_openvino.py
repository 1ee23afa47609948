"""The part of a generated model.py that loads and runs model.xml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import openvino
except ModuleNotFoundError:
    raise RuntimeError("this server's python3 has no package openvino: pip install openvino") from None

# Inputs of these types are computed as int32, whose ends are LEAST and MOST.
NARROWED = ("i64", "u64", "u32")
LEAST, MOST = -(1 << 31), (1 << 31) - 1


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt.

    Threads are those of all instances, one stream each: of a process for each instance, this one has its share.
    Its attribute `prepare`, where the model takes such integers, refuses a request whose numbers OpenVINO would change.
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
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", settings)
    request = compiled.create_infer_request()
    narrowed = [one.any_name for one in compiled.inputs if one.element_type.get_type_name() in NARROWED]

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        results = request.infer(arrays, share_inputs=True)
        return {name: results[name] for name in outputs}

    def within(arrays: dict[str, Any]) -> dict[str, Any]:
        for name in narrowed:
            array = arrays[name]
            found = array.size and next((one for one in (array.min(), array.max()) if not LEAST <= one <= MOST), None)
            if found:
                raise ValueError(
                    f"{name}: {found}; allowed: {LEAST} to {MOST}, as OpenVINO computes {array.dtype} in int32, "
                    "or a variant of another engine"
                )
        return arrays

    if narrowed:
        run.prepare = within  # type: ignore[attr-defined]
    return run
