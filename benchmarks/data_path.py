"""What the python runtime spends on bringing a dynamic batch to TensorFlow, per request, and how often it copies.

Three ways over the same request tensors: a joined copy in fresh memory and another one into a tensor (what a model.py
usually does), the joined copy in kept memory and another into a tensor, and what the generated model.py does: joined
in kept memory, which the tensor then is (DLPack). Run it in the builder's environment; prints ms per request.
"""

import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from model_repo_builder.repository import model_py

BATCHES = (1, 4, 16, 64)
SHAPE = (1, 224, 224, 3)
REPEATS = 30


def _served() -> dict[str, Any]:
    """The names that a generated model.py of the TensorFlow loader defines."""
    sys.modules["triton_python_backend_utils"] = ModuleType("triton_python_backend_utils")
    path = Path(__file__).with_name(".data_path_model.py")
    try:
        path.write_text(model_py.generate("tensorflow"))
        return runpy.run_path(str(path))
    finally:
        path.unlink()


def _median_ms(way: Callable[[], Any]) -> float:
    way()
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds) * 1000


def main() -> None:
    """Print one row for each batch size and type of image."""
    served = _served()
    import tensorflow as tf

    print(f"{'image':8} {'batch':>5}   fresh + copy   kept + copy   kept + DLPack   (ms per request)")
    for dtype in (np.float32, np.uint8):
        for batch in BATCHES:
            parts = [np.random.default_rng(i).integers(0, 256, SHAPE).astype(dtype) for i in range(batch)]
            joined = served["Joined"]()
            ways: tuple[Callable[[], Any], ...] = (
                lambda parts=parts: tf.constant(np.concatenate(parts)),
                lambda parts=parts, joined=joined: tf.constant(joined.join(parts)),
                lambda parts=parts, joined=joined: served["tensor"](joined.join(parts)),
            )
            fresh, kept, shared = (_median_ms(way) / batch for way in ways)
            print(f"{np.dtype(dtype).name:8} {batch:5} {fresh:14.3f} {kept:13.3f} {shared:15.3f}")
    print("copies per request on the way to the tensor: 2, 2, 1 (none for a single aligned request)")


if __name__ == "__main__":
    main()
