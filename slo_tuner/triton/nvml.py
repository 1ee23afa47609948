"""What the GPUs of this machine are doing, from NVIDIA's own library: for servers whose metrics don't say."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import gevent

_ANSWER_S = 5.0
T = TypeVar("T")


@dataclass(frozen=True)
class GpuSample:
    """One look: mean utilisation of the GPUs, 0 to 1, and the memory that is used on all of them, in bytes."""

    utilization: float
    memory_bytes: float


class Nvml:
    """The GPUs that NVML finds here. `library` is the module pynvml, already initialised."""

    def __init__(self, library: Any) -> None:
        self._library, self._hangs = library, False
        self._gpus = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]

    def sample(self) -> GpuSample | None:
        """How busy and how full they are now; None without a GPU, or when one does not answer, or did not once."""
        if self._hangs:
            return None
        try:
            return within(_ANSWER_S, self._look)
        except TimeoutError:
            self._hangs = True
            return None

    def _look(self) -> GpuSample | None:
        try:
            busy = [self._library.nvmlDeviceGetUtilizationRates(gpu).gpu for gpu in self._gpus]
            used = [self._library.nvmlDeviceGetMemoryInfo(gpu).used for gpu in self._gpus]
        except self._library.NVMLError:
            return None
        return GpuSample(sum(busy) / len(busy) / 100, float(sum(used))) if busy else None


def within(seconds: float, call: Callable[[], T]) -> T:
    """What a call returns that would block every greenlet: in a thread. TimeoutError when it takes longer.

    A driver that hangs can't be stopped: its thread is left behind, and ends with the process.
    """
    try:
        answer: T = gevent.get_hub().threadpool.spawn(call).get(timeout=seconds)
    except gevent.Timeout:
        raise TimeoutError from None
    return answer


@cache
def find_gpus() -> Nvml | None:
    """The GPUs of this machine; None where there is no driver, no library or no GPU, or the driver hangs."""
    try:
        import pynvml
    except ImportError:
        return None

    def opened() -> Nvml | None:
        try:
            pynvml.nvmlInit()
            return Nvml(pynvml)
        except pynvml.NVMLError:
            return None

    try:
        found = within(_ANSWER_S, opened)
    except TimeoutError:
        return None
    return found if found is not None and found.sample() else None
