"""The GPU to build for: its compute capability, as TensorFlow or the driver knows it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Gpu:
    """The first GPU: its name and compute capability, as `9.0`."""

    name: str
    compute_capability: str


@cache
def find() -> Gpu | None:
    """The first GPU that TensorFlow sees, or None.

    From then on TensorFlow takes memory as it needs it: TensorRT needs some beside it.
    """
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    tf.config.experimental.set_memory_growth(devices[0], True)
    details = tf.config.experimental.get_device_details(devices[0])
    major, minor = details["compute_capability"]
    return Gpu(str(details.get("device_name", "GPU")), f"{major}.{minor}")


@cache
def of_driver() -> Gpu | None:
    """The first GPU that the driver's nvidia-smi names, or None: for engines that need no TensorFlow with CUDA."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    asked = [program, "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    name, _, capability = (done.stdout.splitlines() or [""])[0].rpartition(",")
    return Gpu(name.strip(), capability.strip()) if done.returncode == 0 and name else None


def refusal(engine: str, found: Gpu | None, wanted: str | None) -> str | None:
    """Why an engine can't build for the compute capability that a plan wants (None: any); None when it can."""
    if found is None:
        return f"{engine} (no GPU is found); allowed: a machine with an NVIDIA GPU and its driver"
    if wanted not in (None, found.compute_capability):
        return (
            f"{engine} (the plan's compute_capability is {wanted}, the {found.name} has {found.compute_capability}); "
            f"allowed: a GPU of {wanted}, another plan, or --any-gpu"
        )
    return None
