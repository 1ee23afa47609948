"""The part of a generated model.py that loads and runs model.savedmodel."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow

# Bytes; the widest vectors of TensorFlow's CPU kernels.
ALIGNMENT = 64


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt."""
    threading = tensorflow.config.threading
    threading.set_intra_op_parallelism_threads(int(parameters.get("TF_NUM_INTRA_THREADS", 0)))
    threading.set_inter_op_parallelism_threads(int(parameters.get("TF_NUM_INTER_THREADS", 0)))
    gpus = tensorflow.config.list_physical_devices("GPU")
    if device is not None and device >= len(gpus):
        raise RuntimeError(f"config.pbtxt asks for GPU {device}, TensorFlow finds {len(gpus)}")
    visible = [] if device is None else [gpus[device]]
    tensorflow.config.set_visible_devices(visible, "GPU")
    for gpu in visible:
        # Each instance is a process of its own: none may take the whole memory of the GPU.
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    model = tensorflow.saved_model.load(str(folder / "model.savedmodel"))

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        # The whole model is looked up here, and so kept alive: a signature alone does not hold its variables.
        results = model.signatures["serving_default"](**{name: tensor(array) for name, array in arrays.items()})
        return {name: results[name].numpy() for name in outputs}

    return run


def tensor(array: Any) -> Any:
    """A tensor over the array's own memory; a copy where TensorFlow can't use it (its kernels demand alignment)."""
    usable = array.dtype.kind in "fiu" and array.flags.c_contiguous and array.flags.writeable and array.size
    if usable and array.ctypes.data % ALIGNMENT == 0:
        return tensorflow.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tensorflow.constant(array)
