"""The GPU that TensorFlow sees: its compute capability, and memory taken only as it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Gpu:
    """The first GPU: its name and compute capability, as `9.0`."""

    name: str
    compute_capability: str


@cache
def find() -> Gpu | None:
    """The first GPU, or None. From then on TensorFlow takes memory as it needs it: TensorRT needs some beside it."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    tf.config.experimental.set_memory_growth(devices[0], True)
    details = tf.config.experimental.get_device_details(devices[0])
    major, minor = details["compute_capability"]
    return Gpu(str(details.get("device_name", "GPU")), f"{major}.{minor}")
