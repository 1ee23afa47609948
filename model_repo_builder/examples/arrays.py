"""Examples of any inputs: from a file of any known kind, or generated ones of a signature's shapes, types, ranges."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files import image_pixels, rows
from example_files.errors import ExampleFileError
from example_files.wanted import Input, Row, Wanted
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples.synthetic import is_synthetic, synthetic
from model_repo_builder.signature import FLOATS, PIXELS, STRING, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALLOWED = f"a file ({rows.ALLOWED}), or synthetic:SEED"
# Integers whose range nobody says: right for a mask, a flag and for most numbers of something, and beyond no table.
LEAST_INTEGER, MOST_INTEGER = 0, 1


def check(source: str, field: str) -> None:
    """InvalidError on `field` where `source` can't be read."""
    if is_synthetic(source):
        return
    if not os.path.exists(Path(source)):  # noqa: PTH110 -- pathlib raises for a name that no file can have
        raise InvalidError(field, f"{source} does not exist", f"a directory of images, or {ALLOWED}")
    try:
        rows.reader(Path(source))
    except ExampleFileError as error:
        raise InvalidError(field, error.found, error.allowed) from None


@cache
def identity(source: str) -> str:
    """SHA-256 of the file; empty for generated examples, which their seed identifies."""
    return "" if is_synthetic(source) else hashlib.sha256(Path(source).read_bytes()).hexdigest()


def load(source: str, field: str, count: int, signature: Signature, skip: int) -> dict[str, NDArray[Any]]:
    """`count` examples after the first `skip`, an array [n, *shape] for each input; of different shapes, [n] of arrays.

    A file with fewer than skip + count gives those it has, from its end. InvalidError on `field`, with the place in
    the file, where an example is none of the model's, or leaves the range of the plan.
    """
    if is_synthetic(source):
        seed = int(source.removeprefix("synthetic:"))
        return {tensor.name: generate(tensor, seed, count, skip) for tensor in signature.inputs}
    try:
        found = rows.read(Path(source), wanted(signature), count, skip)
    except ExampleFileError as error:
        raise InvalidError(field, error.found, error.allowed) from None
    arrays = {tensor.name: together([row[tensor.name] for row in found]) for tensor in signature.inputs}
    for tensor in signature.inputs:
        _check_range(tensor, found, field, source)
    return arrays


def wanted(signature: Signature) -> Wanted:
    """The inputs of a signature as files of examples have them."""
    inputs = tuple(Input(tensor.name, tensor.dtype, tensor.shape) for tensor in signature.inputs)
    return Wanted(inputs, signature.batched)


def together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Examples of one shape as one array [n, *shape]; of several shapes as [n] objects, each an array."""
    if len({part.shape for part in parts}) == 1:
        return np.stack(parts)
    apart = np.empty(len(parts), object)
    apart[:] = parts
    return apart


def generate(tensor: Tensor, seed: int, count: int, skip: int) -> NDArray[Any]:
    """Examples [count, *shape] of one input, the same for the same seed.

    Numbers are drawn from the range of the tensor, or normally distributed where it has none; RGB images look like
    images; texts are those of the tensor in turn.
    """
    shape = tensor.example_shape
    if tensor.dtype == STRING:
        return _texts(tensor, seed, count, skip, shape)
    if tensor.may_be_pixels and tensor.has_shape_of_image and len(shape) == 3 and 3 in (shape[0], shape[2]):
        return _images(tensor, seed, count, skip)
    drawn = np.stack([_numbers(tensor, np.random.default_rng([seed, skip + one]), shape) for one in range(count)])
    numbers: NDArray[Any] = drawn.astype(tensor.dtype)
    return numbers


def scaled(pixels: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Pixels of 0 to 255 as the numbers that clients send: of the tensor's range, which is 0 to 255 by itself."""
    if tensor.range in (None, PIXELS) or tensor.dtype not in FLOATS:
        return pixels
    assert tensor.range is not None
    numbers: NDArray[Any] = image_pixels.scaled(pixels, *tensor.range, tensor.dtype)
    return numbers


def _numbers(tensor: Tensor, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    if tensor.dtype == "bool":
        return random.integers(0, 2, shape)
    if tensor.dtype in FLOATS:
        return random.standard_normal(shape) if tensor.range is None else random.uniform(*tensor.range, shape)
    least, most = tensor.values or (LEAST_INTEGER, MOST_INTEGER)
    if tensor.range is not None:
        least, most = round(tensor.range[0]), round(tensor.range[1])
    elif tensor.dtype == "uint8" and tensor.has_shape_of_image:
        least, most = PIXELS
    return random.integers(least, most, shape, np.uint64 if tensor.dtype == "uint64" else np.int64, endpoint=True)


def _images(tensor: Tensor, seed: int, count: int, skip: int) -> NDArray[Any]:
    shape = tensor.example_shape
    size = (shape[1], shape[2]) if tensor.channels_first else (shape[0], shape[1])
    made = np.stack([synthetic(seed, skip + one, size) for one in range(count)])
    made = np.moveaxis(made, -1, 1) if tensor.channels_first else made
    return scaled(made, tensor).astype(tensor.dtype)


def _texts(tensor: Tensor, seed: int, count: int, skip: int, shape: tuple[int, ...]) -> NDArray[Any]:
    texts = [text.encode("latin-1") for text in tensor.texts] or [_jpeg(seed, number) for number in range(4)]
    each = int(np.prod(shape, dtype=int))
    flat = np.array([texts[(skip * each + one) % len(texts)] for one in range(count * each)], object)
    return flat.reshape(count, *shape)


def _jpeg(seed: int, number: int) -> bytes:
    """A JPEG of its own size: strings without examples are asked for by graphs that decode images."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(synthetic(seed, number, (60 + 10 * number, 80))).save(file, "JPEG", quality=95)
    return file.getvalue()


def _check_range(tensor: Tensor, found: Sequence[Row], field: str, source: str) -> None:
    """InvalidError for numbers beyond the range that the plan gives, or beyond a vocabulary."""
    limits = tensor.range or tensor.values
    # A single value is what is generated, such as a mask without padding: no limit of what may be sent.
    if limits is None or limits[0] == limits[1] or tensor.dtype == STRING:
        return
    numbers = np.concatenate([row[tensor.name].ravel() for row in found])
    if not numbers.size:
        return
    least, most = numbers.min(), numbers.max()
    if not limits[0] <= least <= most <= limits[1]:
        allowed = f"the range of the {'plan' if tensor.range else 'input'}, {limits[0]:g} to {limits[1]:g}"
        raise InvalidError(field, f"{source}: {tensor.name} holds {least:g} to {most:g}", allowed)
