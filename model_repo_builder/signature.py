"""What a model takes and gives: named tensors with a dynamic batch dimension, independent of any framework."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tensor:
    """A named tensor; `shape` leaves out the leading batch dimension, `dtype` is a NumPy name such as `float32`.

    `values` are the least and the largest value of a generated request, where the type alone does not say them.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    values: tuple[int, int] | None = None


@dataclass(frozen=True)
class InputForm:
    """The form of a variant's requests: the dtype of its inputs and, where these are sequences, their length."""

    dtype: str
    length: int | None = None

    @property
    def name(self) -> str:
        """For a file: `uint8`, or `int32-384`."""
        return self.dtype if self.length is None else f"{self.dtype}-{self.length}"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a served model in the order of the source."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def image(self) -> Tensor:
        """The one input of an image model, of shape [height, width, channels]."""
        return self.inputs[0]

    @property
    def takes_tokens(self) -> bool:
        """Whether the inputs are sequences of numbers, each from a known range."""
        return all(tensor.values is not None for tensor in self.inputs)

    @property
    def answer(self) -> tuple[str, ...]:
        """The outputs whose largest values are the answer: the first of an image model; where an answer begins and
        where it ends, of a model of tokens."""
        return tuple(tensor.name for tensor in (self.outputs if self.takes_tokens else self.outputs[:1]))

    def in_form(self, form: InputForm) -> Signature:
        """The same signature when the graph begins with a cast from the form's dtype, and sequences have its length."""
        inputs = (replace(tensor, dtype=form.dtype) for tensor in self.inputs)
        if form.length is None:
            return replace(self, inputs=tuple(inputs))
        return Signature(
            inputs=tuple(replace(tensor, shape=(form.length,)) for tensor in inputs),
            outputs=tuple(replace(tensor, shape=(form.length,)) for tensor in self.outputs),
        )
