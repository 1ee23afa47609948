"""What is made of NVML's numbers; the library itself is a stand-in, as this needs no GPU."""

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
