"""The samples that a model is tried on while it is built: examples of its inputs, for calibration and agreement.

The one place that knows which kinds of input there are; engines take whatever arrays they are given, by input name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import arrays, image_pixels, images, sequences
from model_repo_builder.signature import STRING, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One array [n, ...] for each input.
Examples = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Kind:
    """A kind of examples; `sample_kind` is the plan's key for where they come from, and what they are called in text.

    `check` refuses a source that can't be read (by the field that names it), `identity` is the SHA-256 of its content,
    empty where its name says all. `load` gives so many of them for a signature, after the first `skip`.
    """

    sample_kind: str
    allowed: str
    check: Callable[[str, str], None]
    identity: Callable[[str], str]
    load: Callable[[str, str, int, Signature, int], Examples]


def _load_images(source: str, field: str, count: int, signature: Signature, skip: int) -> Examples:
    """Images [n, *shape] as the model takes them: grey, RGB or opaque RGBA, channels first or last, of its range."""
    tensor = signature.image
    if not tensor.has_shape_of_image or len(signature.inputs) > 1:
        shapes = ", ".join(one.named_shape() for one in signature.inputs)
        raise InvalidError(field, source, f"arrays, as the model takes no image but {shapes}")
    each = int(np.prod(tensor.example_shape[:-3], dtype=int))
    loaded: NDArray[Any] = images.load(source, field, count * each, size_of_images(tensor), skip * each)
    loaded = np.resize(loaded, (-(-len(loaded) // each) * each, *loaded.shape[1:]))
    return {tensor.name: as_inputs(loaded, tensor)}


def size_of_images(tensor: Tensor) -> tuple[int, int]:
    """Height and width of the images that a tensor takes."""
    return image_pixels.size_of(tensor.example_shape)


def as_inputs(pixels: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """RGB images, uint8 [n, height, width, 3], as a model takes them: grey or RGBA, channels first, of its range."""
    pixels = image_pixels.arranged(pixels, tensor.example_shape)
    scaled: NDArray[Any] = arrays.scaled(pixels, tensor).reshape(-1, *tensor.example_shape)
    return scaled


IMAGES = Kind("images", "a directory of images or synthetic:SEED", images.check, images.identity, _load_images)
SEQUENCES = Kind("sequences", sequences.ALLOWED, sequences.check, lambda _: "", sequences.load)
ARRAYS = Kind("arrays", arrays.ALLOWED, arrays.check, arrays.identity, arrays.load)
KINDS = {kind.sample_kind: kind for kind in (IMAGES, SEQUENCES, ARRAYS)}


def kind_of(signature: Signature) -> Kind:
    """The kind of a model's examples."""
    if signature.sample_kind:
        return KINDS[signature.sample_kind]
    return SEQUENCES if signature.takes_tokens else IMAGES


def count_of(examples: Examples) -> int:
    """How many there are."""
    return len(next(iter(examples.values())))


def batches(examples: Examples, size: int) -> Iterator[Examples]:
    """All of them in order, `size` at a time; the last batch may be smaller."""
    for start in range(0, count_of(examples), size):
        yield {name: array[start : start + size] for name, array in examples.items()}


def cycled(examples: Examples, count: int) -> dict[str, NDArray[Any]]:
    """`count` of them, in turn where there are fewer."""
    return {name: array[np.arange(count) % len(array)] for name, array in examples.items()}


def requests(examples: Examples, signature: Signature, size: int) -> Iterator[Examples]:
    """What is sent to the model: so many examples at a time, or one alone where it takes no batches."""
    if signature.batched:
        yield from batches(examples, size)
        return
    for index in range(count_of(examples)):
        yield {name: array[index] for name, array in examples.items()}


def as_sent(examples: Examples, signature: Signature) -> dict[str, NDArray[Any]]:
    """The examples as a client sends them: of the dtype of each input."""
    return {
        tensor.name: examples[tensor.name].astype(object if tensor.dtype == STRING else tensor.dtype)
        for tensor in signature.inputs
    }
