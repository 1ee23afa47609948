"""The part of a generated model.py that loads and runs model.savedmodel."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}, honouring the parameters of config.pbtxt."""
    threading = tensorflow.config.threading
    threading.set_intra_op_parallelism_threads(int(parameters.get("TF_NUM_INTRA_THREADS", 0)))
    threading.set_inter_op_parallelism_threads(int(parameters.get("TF_NUM_INTER_THREADS", 0)))
    gpus = tensorflow.config.list_physical_devices("GPU")
    tensorflow.config.set_visible_devices([] if device is None else gpus[device : device + 1], "GPU")
    model = tensorflow.saved_model.load(str(folder / "model.savedmodel"))

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        # The whole model is looked up here, and so kept alive: a signature alone does not hold its variables.
        results = model.signatures["serving_default"](
            **{name: tensorflow.constant(array) for name, array in arrays.items()}
        )
        return {name: results[name].numpy() for name in outputs}

    return run
