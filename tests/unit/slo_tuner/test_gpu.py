"""What is made of NVML's numbers; the library itself is a stand-in, as this needs no GPU."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from slo_tuner.triton.nvml import GpuSample, Nvml


class FakeNvml:
    """Two GPUs, busy 40 % and 80 %, with 1 GB and 3 GB in use."""

    NVMLError = RuntimeError

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, gpu: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=(40, 80)[gpu], memory=0)

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=(1e9, 3e9)[gpu])


def test_utilisation_is_the_mean_and_memory_the_sum_over_all_gpus() -> None:
    assert Nvml(FakeNvml()).sample() == GpuSample(0.6, 4e9)


def test_a_gpu_that_does_not_answer_is_no_sample() -> None:
    class Lost(FakeNvml):
        def nvmlDeviceGetUtilizationRates(self, gpu: int) -> Any:  # noqa: N802
            raise self.NVMLError("GPU is lost")

    assert Nvml(Lost()).sample() is None


def test_no_gpu_is_no_sample() -> None:
    class Empty(FakeNvml):
        def nvmlDeviceGetCount(self) -> int:  # noqa: N802
            return 0

    assert Nvml(Empty()).sample() is None


def test_a_driver_that_hangs_costs_one_wait_and_blocks_nobody() -> None:
    """As a process that does, in one of its own: the thread that hangs must not keep it from ending."""
    script = f"""
import sys, time
import gevent
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_gpu import FakeNvml
from slo_tuner.triton import nvml

class Hung(FakeNvml):
    def nvmlDeviceGetMemoryInfo(self, gpu):
        time.sleep(600)

nvml._ANSWER_S = 0.5
ticks = []
ticking = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.01)) for _ in range(1000)])
gpus = nvml.Nvml(Hung())
assert gpus.sample() is None
assert ticks, "the load went on"
began = time.monotonic()
assert gpus.sample() is None and time.monotonic() - began < 0.2
ticking.kill()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
