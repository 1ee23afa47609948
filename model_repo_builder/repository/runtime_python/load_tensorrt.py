"""The part of a generated model.py that loads and runs model.plan: TensorRT by its package, CUDA by the driver."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import tensorrt

# TensorRT's names of types as NumPy has them.
DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
# cuda.h: a process that waits for the GPU sleeps instead of polling on a core that others need.
CU_CTX_SCHED_BLOCKING_SYNC = 4
CU_STREAM_NON_BLOCKING = 1


def load(
    folder: Path, parameters: dict[str, str], device: int | None, outputs: list[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from {input name: array} to {output name: array}; its `memory` is page-locked, for joined batches."""
    if device is None:
        raise RuntimeError("config.pbtxt asks for a CPU, and a TensorRT plan runs on a GPU: KIND_GPU")
    gpu = Gpu(device)
    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    tensorrt.init_libnvinfer_plugins(logger, "")
    runtime = tensorrt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine((folder / "model.plan").read_bytes())
    if engine is None:
        raise RuntimeError(
            f"TensorRT {tensorrt.__version__} can't read model.plan: another version built it, or for another GPU"
        )
    # The engine uses the runtime as long as it lives.
    return Execution(gpu, runtime, engine, outputs)


class Gpu:
    """The CUDA driver as far as a plan needs it: memory, copies, and one stream in the device's primary context.

    libcuda comes with the driver and has one name; libcudart has another in each toolkit.
    """

    def __init__(self, device: int) -> None:
        self.driver = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        handle = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(handle), device)
        # Refused where the context is in use already: then it waits as whoever made it chose.
        self.driver.cuDevicePrimaryCtxSetFlags_v2(handle, CU_CTX_SCHED_BLOCKING_SYNC)
        self.context, self.stream = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), handle)
        self.use()
        self.call("cuStreamCreate", ctypes.byref(self.stream), CU_STREAM_NON_BLOCKING)

    def call(self, name: str, *arguments: Any) -> None:
        """Call the driver; RuntimeError with its own words where it fails."""
        status = getattr(self.driver, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self.driver.cuGetErrorString(status, ctypes.byref(text))
            raise RuntimeError(f"{name}: {(text.value or b'unknown error').decode()} ({status})")

    def use(self) -> None:
        """Make this GPU the one of the thread that calls."""
        self.call("cuCtxSetCurrent", self.context)

    def allocate(self, size: int) -> int:
        """The address of so many bytes on the GPU."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def page_locked(self, size: int) -> Any:
        """So many bytes of the host's memory that the GPU copies from and to by itself."""
        address = ctypes.c_void_p()
        self.call("cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(size), 0)
        return numpy.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value or 0))

    def send(self, address: int, array: Any) -> None:
        """Copy an array to the GPU, in the order of the stream; it must live until `wait`."""
        source = ctypes.c_void_p(array.ctypes.data)
        self.call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), source, ctypes.c_size_t(array.nbytes), self.stream)

    def fetch(self, array: Any, address: int) -> None:
        """Copy from the GPU into an array, in the order of the stream; it is there after `wait`."""
        target = ctypes.c_void_p(array.ctypes.data)
        self.call("cuMemcpyDtoHAsync_v2", target, ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes), self.stream)

    def wait(self) -> None:
        """Until everything in the stream is done."""
        self.call("cuStreamSynchronize", self.stream)


class Execution:
    """A plan with memory for its largest batch, on the GPU and, page-locked, on the host."""

    def __init__(self, gpu: Gpu, runtime: Any, engine: Any, outputs: list[str]) -> None:
        self.gpu, self.runtime, self.engine = gpu, runtime, engine
        self.context = engine.create_execution_context()
        if self.context is None:
            raise RuntimeError("TensorRT can't execute model.plan; its log above says why (most often: GPU memory)")
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT]
        self.most = {name: self.largest(name) for name in inputs}
        for name, shape in self.most.items():
            self.context.set_input_shape(name, shape)
        # After the inputs, as the shapes of outputs follow from theirs.
        shapes = {**self.most, **{name: tuple(self.context.get_tensor_shape(name)) for name in names}}
        unknown = [name for name, shape in shapes.items() if min(shape, default=1) < 0]
        if unknown:
            raise RuntimeError(f"the shape of output {unknown[0]} depends on the numbers of a request")
        self.outputs = outputs
        self.dtypes = {name: numpy.dtype(DTYPES[engine.get_tensor_dtype(name).name]) for name in names}
        sizes = {name: int(numpy.prod(shapes[name])) * self.dtypes[name].itemsize for name in names}
        self.addresses = {name: gpu.allocate(size) for name, size in sizes.items()}
        for name, address in self.addresses.items():
            self.context.set_tensor_address(name, address)
        self.memory = {name: gpu.page_locked(sizes[name]) for name in inputs}
        self.answers = {name: gpu.page_locked(sizes[name]) for name in outputs}

    def largest(self, name: str) -> tuple[int, ...]:
        """The largest shape of an input: of the profile where the plan leaves a size open."""
        shape = tuple(self.engine.get_tensor_shape(name))
        return shape if min(shape, default=1) >= 0 else tuple(self.engine.get_tensor_profile_shape(name, 0)[2])

    def __call__(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Run one batch; ValueError where the plan's profile does not hold it."""
        self.gpu.use()
        sent = {name: numpy.ascontiguousarray(arrays[name], self.dtypes[name]) for name in self.most}
        for name, array in sent.items():
            if array.ndim != len(self.most[name]) or any(map(int.__gt__, array.shape, self.most[name])):
                allowed = f"the plan takes at most {list(self.most[name])}"
                raise ValueError(f"input {name} has the shape {list(array.shape)}: {allowed}")
            if not self.context.set_input_shape(name, array.shape):
                raise ValueError(f"input {name} has the shape {list(array.shape)}, which is not in the plan's profile")
            self.gpu.send(self.addresses[name], array)
        if not self.context.execute_async_v3(self.gpu.stream.value):
            raise RuntimeError("TensorRT did not execute model.plan; its log above says why")
        results = {name: self.result(name) for name in self.outputs}
        self.gpu.wait()
        # The next batch is answered in the same memory.
        return {name: array.copy() for name, array in results.items()}

    def result(self, name: str) -> Any:
        """The array that an output is copied into."""
        shape = tuple(self.context.get_tensor_shape(name))
        size = int(numpy.prod(shape)) * self.dtypes[name].itemsize
        array = self.answers[name][:size].view(self.dtypes[name]).reshape(shape)
        self.gpu.fetch(array, self.addresses[name])
        return array
