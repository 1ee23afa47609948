"""What a model takes and gives: named tensors, independent of any framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

# A dimension whose size each request chooses.
OPEN = -1
# What an open dimension has in generated examples where nobody says another: of an image, and of anything else.
IMAGE_SIDE, LENGTH = 64, 16
STRING = "string"
FLOATS = ("float16", "float32", "float64")
# Least and largest number of a pixel.
PIXELS = (0, 255)
# Sizes of the last dimension that make a tensor of three an image.
CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Tensor:
    """A named tensor; `dtype` is a NumPy name such as `float32`, or `string`.

    `shape` leaves out the leading batch dimension where the signature is batched; -1 is an open dimension.
    `values` are the least and the largest value of a generated request, where the type alone does not say them.
    `range` is that of a number that is no integer: what clients send. `sample_shape` replaces open dimensions in
    examples; `texts` are examples of a string, each byte as one character (Latin-1).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    values: tuple[int, int] | None = None
    range: tuple[float, float] | None = None
    sample_shape: tuple[int, ...] | None = None
    texts: tuple[str, ...] = ()

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of an example: open dimensions have a size."""
        others = len(self.shape) - 3 if self.has_shape_of_image else len(self.shape)
        usual = [LENGTH] * others + [IMAGE_SIDE] * (len(self.shape) - others)
        sizes = tuple(most if size == OPEN else size for size, most in zip(self.shape, usual, strict=True))
        return self.sample_shape or sizes

    @property
    def has_shape_of_image(self) -> bool:
        """Whether it could be an image: numbers of [height, width, channels] or [channels, height, width]."""
        shape = self.shape[-3:]
        return self.dtype != STRING and len(shape) == 3 and (shape[2] in CHANNELS or shape[0] in CHANNELS)

    @property
    def may_be_pixels(self) -> bool:
        """Whether pixels can be made its numbers: integers of another range are numbers of something else.

        int8 ends at 127, so a pixel of 200 would become -56.
        """
        return self.dtype in FLOATS or (self.dtype not in ("bool", "int8", STRING) and self.range in (None, PIXELS))

    @property
    def limits(self) -> str:
        """The range of its numbers in words that follow its name; empty where none is known."""
        return "" if self.range is None else f" of {self.range[0]:g} to {self.range[1]:g}"

    @property
    def channels_first(self) -> bool:
        """Whether an image's channels come first."""
        return self.shape[-1] not in CHANNELS

    def named_shape(self) -> str:
        """For a message: `image float32 [64, 64, 3]`."""
        return f"{self.name} {self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class InputForm:
    """The form of a variant's requests: the dtype of its inputs (empty: each its own) and the length of sequences."""

    dtype: str
    length: int | None = None

    @property
    def name(self) -> str:
        """For a file: `uint8`, or `int32-384`."""
        dtype = self.dtype or "own"
        return dtype if self.length is None else f"{dtype}-{self.length}"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a served model in the order of the source.

    `batched`: requests of several clients may be joined along a leading dimension that no tensor's shape shows.
    `sample_kind`: what its examples are; empty in manifests of before, where the inputs say it.
    `warm_up`: whether it answers to inputs of zeros, which a server may send before it is ready.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batched: bool = True
    sample_kind: str = ""
    warm_up: bool = True

    @property
    def image(self) -> Tensor:
        """The one input of an image model, of shape [height, width, channels]."""
        return self.inputs[0]

    @property
    def takes_tokens(self) -> bool:
        """Whether the inputs are sequences of numbers, each from a known range."""
        if self.sample_kind:
            return self.sample_kind == "sequences"
        return all(tensor.values is not None for tensor in self.inputs)

    @property
    def is_open(self) -> bool:
        """Whether a request chooses the size of a dimension."""
        return any(OPEN in tensor.shape for tensor in self.inputs)

    def in_form(self, form: InputForm) -> Signature:
        """The same signature when the graph begins with a cast from the form's dtype, and sequences have its length."""
        inputs = tuple(replace(tensor, dtype=form.dtype or tensor.dtype) for tensor in self.inputs)
        if form.length is None:
            return replace(self, inputs=inputs)
        return replace(
            self,
            inputs=tuple(replace(tensor, shape=(form.length,)) for tensor in inputs),
            outputs=tuple(replace(tensor, shape=(form.length,)) for tensor in self.outputs),
        )

    def unbatched(self) -> Signature:
        """The same with the leading dimension as an open one of every tensor, for models whose rows are not alone."""
        if not self.batched:
            return self

        def whole(tensor: Tensor) -> Tensor:
            sample = (1, *tensor.example_shape) if tensor.sample_shape else None
            return replace(tensor, shape=(OPEN, *tensor.shape), sample_shape=sample)

        return replace(
            self, inputs=tuple(map(whole, self.inputs)), outputs=tuple(map(whole, self.outputs)), batched=False
        )

    def of_one_row(self) -> Signature:
        """The same with examples of one row where the leading dimension is open, for models that take no more."""

        def alone(tensor: Tensor) -> Tensor:
            is_open = tensor.shape[:1] == (OPEN,)
            return replace(tensor, sample_shape=(1, *tensor.example_shape[1:])) if is_open else tensor

        return replace(self, inputs=tuple(map(alone, self.inputs)))

    def wired(self) -> Signature:
        """The same with arrays of one in place of scalars where there is no batch: Triton takes none then."""
        if self.batched:
            return self

        def one(tensor: Tensor) -> Tensor:
            return tensor if tensor.shape else replace(tensor, shape=(1,))

        return replace(self, inputs=tuple(map(one, self.inputs)), outputs=tuple(map(one, self.outputs)))
