"""The loader of TensorRT plans, against stand-ins for TensorRT and the CUDA driver that work in the host's memory."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model_repo_builder.repository import model_py
from model_repo_builder.repository.runtime_python.batching import Batcher

LARGEST = 4
Execute = Callable[[dict[str, Any]], dict[str, Any]]


class Mode(Enum):
    """TensorIOMode."""

    INPUT = 0
    OUTPUT = 1


class Dtype(Enum):
    """DataType."""

    FLOAT = 0
    UINT8 = 5


class Driver:
    """libcuda as far as the loader calls it: the GPU's memory is the host's, and everything is done at once."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.page_locked: list[int] = []
        self.waits = 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: 0

    def cuDeviceGet(self, handle: Any, device: int) -> int:  # noqa: N802 -- the driver's own names
        return 101 if device else 0

    def cuGetErrorString(self, status: int, text: Any) -> int:  # noqa: N802
        text._obj.value = b"invalid device ordinal"
        return 0

    def _allocate(self, address: Any, size: Any) -> int:
        memory = ctypes.create_string_buffer(size.value)
        self.kept.append(memory)
        address._obj.value = ctypes.addressof(memory)
        return 0

    def cuMemAlloc_v2(self, address: Any, size: Any) -> int:  # noqa: N802
        return self._allocate(address, size)

    def cuMemHostAlloc(self, address: Any, size: Any, flags: int) -> int:  # noqa: N802
        self._allocate(address, size)
        self.page_locked.append(address._obj.value)
        return 0

    def cuMemcpyHtoDAsync_v2(self, target: Any, source: Any, size: Any, stream: Any) -> int:  # noqa: N802
        ctypes.memmove(target.value, source.value, size.value)
        return 0

    def cuMemcpyDtoHAsync_v2(self, target: Any, source: Any, size: Any, stream: Any) -> int:  # noqa: N802
        ctypes.memmove(target.value, source.value, size.value)
        return 0

    def cuStreamSynchronize(self, stream: Any) -> int:  # noqa: N802
        self.waits += 1
        return 0


class Context:
    """An execution context of a plan that doubles bytes of [batch, 3] into floats."""

    def __init__(self) -> None:
        self.rows = -1
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.rows = shape[0]
        return shape[1] == 3

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self.rows, 3)

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: Any) -> bool:
        image = np.ctypeslib.as_array((ctypes.c_uint8 * (self.rows * 3)).from_address(self.addresses["image"]))
        answer = (ctypes.c_float * (self.rows * 3)).from_address(self.addresses["scores"])
        answer[:] = [2.0 * number for number in image]
        return True


class Engine:
    """A plan: its tensors and the profile of its input."""

    num_io_tensors = 2

    def __init__(self) -> None:
        self.context = Context()

    def create_execution_context(self) -> Context:
        return self.context

    def get_tensor_name(self, index: int) -> str:
        return ("image", "scores")[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name == "image" else Mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Dtype:
        return Dtype.UINT8 if name == "image" else Dtype.FLOAT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 3)

    def get_tensor_profile_shape(self, name: str, index: int) -> tuple[tuple[int, ...], ...]:
        return (1, 3), (LARGEST, 3), (LARGEST, 3)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The CUDA driver that the loader opens."""
    found = Driver()
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name, *more: found if name == "libcuda.so.1" else real(name, *more))
    return found


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package tensorrt, with one plan that it can read."""
    module: Any = ModuleType("tensorrt")
    module.__version__ = "8.6.0"
    module.TensorIOMode = Mode
    module.Logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None})
    module.init_libnvinfer_plugins = lambda logger, namespace: True

    class Runtime:
        def __init__(self, logger: Any) -> None:
            pass

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            return Engine() if plan == b"a plan" else None

    module.Runtime = Runtime
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    loader = "model_repo_builder.repository.runtime_python.load_tensorrt"
    sys.modules.pop(loader, None)
    yield module
    sys.modules.pop(loader, None)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The version folder of a variant."""
    (tmp_path / "model.plan").write_bytes(b"a plan")
    return tmp_path


@pytest.fixture
def execute(plan: Path, driver: Driver, tensorrt: ModuleType) -> Execute:
    """The plan, loaded."""
    return model_py.load("tensorrt")(plan, {}, 0, ["scores"])


def test_each_batch_gets_its_own_answers(execute: Execute, driver: Driver) -> None:
    first = execute({"image": np.array([[1, 2, 3]], np.uint8)})["scores"]
    second = execute({"image": np.array([[4, 5, 6], [7, 8, 9]], np.uint8)})["scores"]
    assert first.tolist() == [[2, 4, 6]] and second.tolist() == [[8, 10, 12], [14, 16, 18]]
    assert driver.waits == 2


def test_batches_are_joined_in_page_locked_memory(execute: Execute, driver: Driver) -> None:
    batcher = Batcher(execute, ["image"], batched=True)
    requests = [{"image": np.array([[number] * 3], np.uint8)} for number in (1, 2, 3)]
    answers = [answer["scores"].tolist() for answer in batcher.answer(requests)]
    assert answers == [[[2, 2, 2]], [[4, 4, 4]], [[6, 6, 6]]]
    assert batcher.joined["image"].memory.ctypes.data in driver.page_locked


def test_numbers_of_another_type_become_those_of_the_plan(execute: Execute) -> None:
    assert execute({"image": np.array([[1, 2, 3]], np.int64)})["scores"].tolist() == [[2, 4, 6]]


def test_a_batch_beyond_the_profile_is_refused_with_both_shapes(execute: Execute) -> None:
    with pytest.raises(ValueError, match=r"input image has the shape \[5, 3\]: the plan takes at most \[4, 3\]"):
        execute({"image": np.zeros((5, 3), np.uint8)})
    with pytest.raises(ValueError, match=r"input image has the shape \[1, 2\], which is not in the plan's profile"):
        execute({"image": np.zeros((1, 2), np.uint8)})


@pytest.mark.usefixtures("driver", "tensorrt")
def test_a_plan_of_another_version_or_gpu_is_named(plan: Path) -> None:
    (plan / "model.plan").write_bytes(b"of TensorRT 10")
    with pytest.raises(RuntimeError, match=r"TensorRT 8\.6\.0 can't read model\.plan: another version built it, or"):
        model_py.load("tensorrt")(plan, {}, 0, ["scores"])


@pytest.mark.usefixtures("driver", "tensorrt")
def test_a_plan_runs_on_no_cpu(plan: Path) -> None:
    with pytest.raises(RuntimeError, match="asks for a CPU, and a TensorRT plan runs on a GPU"):
        model_py.load("tensorrt")(plan, {}, None, ["scores"])


@pytest.mark.usefixtures("driver", "tensorrt")
def test_what_the_driver_refuses_is_said_in_its_words(plan: Path) -> None:
    with pytest.raises(RuntimeError, match=r"cuDeviceGet: invalid device ordinal \(101\)"):
        model_py.load("tensorrt")(plan, {}, 1, ["scores"])
