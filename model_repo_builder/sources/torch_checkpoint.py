"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running what a pickle may hold."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import BuildError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The first three pickles of the format that torch.save wrote until PyTorch 1.5 (torch/serialization.py, _legacy_save).
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class Placeholder:
    """A tensor whose numbers come later in the file: `key` names its storage; offset and strides count elements."""

    def __init__(
        self, storage: tuple[str, str], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
    ) -> None:
        self.dtype, self.key = DTYPES[storage[0]], storage[1]
        self.offset, self.shape, self.strides = offset, shape, strides

    def of(self, numbers: bytes) -> NDArray[Any]:
        """The tensor; transposed ones keep their strides in a checkpoint."""
        size = self.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        view: NDArray[Any] = np.ndarray(self.shape, self.dtype, numbers, self.offset * size, strides)
        return view


class Unpickler(pickle.Unpickler):
    """Knows dictionaries and tensors; anything else that a pickle could call is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """The few names that a state dictionary needs."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Placeholder
        if module == "torch" and name in DTYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state dictionary")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """The storage that a tensor looks at: the name of its type, and its key."""
        _, storage_type, key, *_ = pid
        return storage_type, key


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a state dictionary by its name; BuildError where the file is no such checkpoint."""
    with path.open("rb") as stream:
        try:
            return _read(stream)
        # A damaged pickle can ask for anything, so any of these may come of it.
        except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise BuildError(f"{path} is no checkpoint of parameters: {error}") from None


def _read(stream: IO[bytes]) -> dict[str, NDArray[Any]]:
    if Unpickler(stream).load() != MAGIC or Unpickler(stream).load() != PROTOCOL:
        raise pickle.UnpicklingError("not written by torch.save in its format of before PyTorch 1.6")
    Unpickler(stream).load()  # sizes of C types on the machine that wrote it
    placeholders: dict[str, Placeholder] = Unpickler(stream).load()
    sizes = {tensor.key: tensor.dtype.itemsize for tensor in placeholders.values()}
    numbers = {}
    for key in Unpickler(stream).load():
        count = int.from_bytes(stream.read(8), "little")
        numbers[key] = stream.read(count * sizes[key])
    return {name: tensor.of(numbers[tensor.key]) for name, tensor in placeholders.items()}
