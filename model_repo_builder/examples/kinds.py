"""The samples that a model is tried on while it is built: examples of its inputs, for calibration and agreement.

The one place that knows which kinds of input there are; engines take whatever arrays they are given, by input name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files import image_pixels
from example_files.image_folder import encoded
from example_files.wanted import Input
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import arrays, images, photographs, sequences
from model_repo_builder.examples.synthetic import is_synthetic
from model_repo_builder.signature import STRING, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One array [n, ...] for each input; where examples have different shapes, [n] objects, each an array.
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
    if len(signature.inputs) == 1 and tensor.dtype == STRING:
        return {tensor.name: _encoded(source, field, count, tensor, skip)}
    if not tensor.has_shape_of_image or not tensor.may_be_pixels or len(signature.inputs) > 1:
        shapes = ", ".join(one.named_shape() for one in signature.inputs)
        raise InvalidError(
            field, source, f"a file of examples, as the model takes no image but {shapes}{tensor.limits}"
        )
    each = int(np.prod(tensor.example_shape[:-3], dtype=int))
    loaded: NDArray[Any] = images.load(source, field, count * each, size_of_images(tensor), skip * each)
    loaded = np.resize(loaded, (-(-len(loaded) // each) * each, *loaded.shape[1:]))
    return {tensor.name: as_inputs(loaded, tensor)}


def _encoded(source: str, field: str, count: int, tensor: Tensor, skip: int) -> NDArray[Any]:
    """The files themselves, for a model that decodes them; generated images as JPEG."""
    if is_synthetic(source):
        return arrays.generate(tensor, int(source.removeprefix("synthetic:")), count, skip)
    found = images.files(source, field)
    one = Input(tensor.name, tensor.dtype, tensor.shape)
    return np.stack([encoded(path, one) for path in found[skip : skip + count] or found[-count:]])


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
    """All of them in order, `size` of one shape at a time; fewer where another shape begins, and at the end."""
    start = 0
    while start < count_of(examples):
        shapes = _shapes(examples, start)
        end = start + 1
        while end < min(start + size, count_of(examples)) and _shapes(examples, end) == shapes:
            end += 1
        yield {name: _joined(array[start:end]) for name, array in examples.items()}
        start = end


def alike(examples: Examples) -> Examples:
    """Those that have the shapes of the first: what a batch can be made of."""
    first = _shapes(examples, 0)
    chosen = [place for place in range(count_of(examples)) if _shapes(examples, place) == first]
    return {name: _joined(array[chosen]) for name, array in examples.items()}


def _are_apart(array: NDArray[Any]) -> bool:
    """Whether the examples are arrays of their own shapes."""
    return bool(array.dtype.hasobject and array.ndim == 1 and len(array) and isinstance(array[0], np.ndarray))


def _joined(array: NDArray[Any]) -> NDArray[Any]:
    return np.stack(list(array)) if _are_apart(array) else array


def _shapes(examples: Examples, place: int) -> list[tuple[int, ...]]:
    """The shape of each input of one example."""
    return [array[place].shape if _are_apart(array) else array.shape[1:] for array in examples.values()]


def cycled(examples: Examples, count: int) -> dict[str, NDArray[Any]]:
    """`count` of one shape, in turn where there are fewer."""
    return {name: array[np.arange(count) % len(array)] for name, array in alike(examples).items()}


def requests(examples: Examples, signature: Signature, size: int) -> Iterator[Examples]:
    """What is sent to the model: so many examples at a time, or one alone where it takes no batches."""
    if signature.batched:
        yield from batches(examples, size)
        return
    yield from rows_of(examples)


def rows_of(examples: Examples) -> Iterator[dict[str, NDArray[Any]]]:
    """Each example by itself, without a leading dimension."""
    for index in range(count_of(examples)):
        yield {
            name: array[index] if _are_apart(array) else np.asarray(array[index], array.dtype)
            for name, array in examples.items()
        }


def as_sent(examples: Examples, signature: Signature) -> dict[str, NDArray[Any]]:
    """The examples as a client sends them: of the dtype of each input."""
    sent = {}
    for tensor in signature.inputs:
        array, dtype = examples[tensor.name], object if tensor.dtype == STRING else np.dtype(tensor.dtype)
        if _are_apart(array):
            changed = np.empty(len(array), object)
            changed[:] = [one.astype(dtype) for one in array]
            sent[tensor.name] = changed
        else:
            sent[tensor.name] = array.astype(dtype)
    return sent


def kind_of_source(source: str) -> Kind | None:
    """The kind that a source is by itself; None where it is the model's own: generated examples."""
    if is_synthetic(source):
        return None
    is_folder = os.path.isdir(Path(source))  # noqa: PTH112 -- pathlib raises for a name that no file can have
    return IMAGES if source == photographs.NAME or is_folder else ARRAYS


def is_file(source: str) -> bool:
    """Whether examples come from a file, which is read as it is."""
    return kind_of_source(source) is ARRAYS
