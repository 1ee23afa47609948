"""What the GPUs of this machine are doing, from NVIDIA's own library: for servers whose metrics don't say."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GpuSample:
    """One look: mean utilisation of the GPUs, 0 to 1, and the memory that is used on all of them, in bytes."""

    utilization: float
    memory_bytes: float


class Nvml:
    """The GPUs that NVML finds here. `library` is the module pynvml, already initialised."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._gpus = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]

    def sample(self) -> GpuSample | None:
        """How busy and how full they are now; None without a GPU, or when one does not answer."""
        try:
            busy = [self._library.nvmlDeviceGetUtilizationRates(gpu).gpu for gpu in self._gpus]
            used = [self._library.nvmlDeviceGetMemoryInfo(gpu).used for gpu in self._gpus]
        except self._library.NVMLError:
            return None
        return GpuSample(sum(busy) / len(busy) / 100, float(sum(used))) if busy else None


def find_gpus() -> Nvml | None:
    """The GPUs of this machine; None where there is no driver, no library or no GPU."""
    try:
        import pynvml

        pynvml.nvmlInit()
        found = Nvml(pynvml)
    except ImportError:
        return None
    except pynvml.NVMLError:
        return None
    return found if found.sample() else None
