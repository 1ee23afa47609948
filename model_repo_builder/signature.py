"""What a model takes and gives: named tensors with a dynamic batch dimension, independent of any framework."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tensor:
    """A named tensor; `shape` leaves out the leading batch dimension, `dtype` is a NumPy name such as `float32`."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a served model in the order of the source."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def image(self) -> Tensor:
        """The one input, of shape [height, width, channels]."""
        return self.inputs[0]

    def with_input_dtype(self, dtype: str | None) -> Signature:
        """The same signature when the graph begins with a cast from `dtype` (None: no cast)."""
        if dtype is None:
            return self
        return replace(self, inputs=tuple(replace(tensor, dtype=dtype) for tensor in self.inputs))
