"""Examples of any inputs: arrays from an .npz file, or generated ones of a signature's shapes, types and ranges."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import image_pixels
from model_repo_builder.examples.synthetic import is_synthetic, synthetic
from model_repo_builder.signature import FLOATS, STRING, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALLOWED = "an .npz file with an array for each input, [examples, ...], or synthetic:SEED"
# Integers whose range nobody says: right for a mask, a flag and for most numbers of something, and beyond no table.
LEAST_INTEGER, MOST_INTEGER = 0, 1
PIXELS = (0, 255)


def check(source: str, field: str) -> None:
    """InvalidError on `field` where `source` can't be read."""
    if not is_synthetic(source):
        _read(source, field)


@cache
def identity(source: str) -> str:
    """SHA-256 of the file; empty for generated examples, which their seed identifies."""
    return "" if is_synthetic(source) else hashlib.sha256(Path(source).read_bytes()).hexdigest()


def load(source: str, field: str, count: int, signature: Signature, skip: int) -> dict[str, NDArray[Any]]:
    """`count` examples after the first `skip`, an array [n, *shape] for each input.

    A file with fewer than skip + count gives those it has, from its end. An array of a model without a batch may leave
    out the leading dimension: it is one example then.
    """
    if is_synthetic(source):
        seed = int(source.removeprefix("synthetic:"))
        return {tensor.name: generate(tensor, seed, count, skip) for tensor in signature.inputs}
    stored = _read(source, field)
    arrays = {tensor.name: _fitting(stored, tensor, field, signature) for tensor in signature.inputs}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidError(field, f"{source} holds {lengths} examples", "the same number of examples for each input")
    return {name: array[skip : skip + count] if len(array) > skip else array[-count:] for name, array in arrays.items()}


def generate(tensor: Tensor, seed: int, count: int, skip: int) -> NDArray[Any]:
    """Examples [count, *shape] of one input, the same for the same seed.

    Numbers are drawn from the range of the tensor, or normally distributed where it has none; RGB images look like
    images; texts are those of the tensor in turn.
    """
    shape = tensor.example_shape
    if tensor.dtype == STRING:
        return _texts(tensor, seed, count, skip, shape)
    if tensor.dtype != "bool" and tensor.has_shape_of_image and len(shape) == 3 and 3 in (shape[0], shape[2]):
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
        least, most = int(tensor.range[0]), int(tensor.range[1])
    elif tensor.dtype == "uint8" and tensor.has_shape_of_image:
        least, most = PIXELS
    return random.integers(least, most, shape, endpoint=True)


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


def _fitting(stored: dict[str, NDArray[Any]], tensor: Tensor, field: str, signature: Signature) -> NDArray[Any]:
    """The array of an input, checked against its shape, type and range; texts as bytes."""
    name, key = tensor.name, _key(tensor.name)
    array = stored.get(name, stored.get(key))
    if array is None:
        raise InvalidError(field, f"holds {', '.join(stored) or 'nothing'}", f"an array for the input {name}")
    if array.ndim == len(tensor.shape) and not signature.batched:
        array = array[None]
    fits = array.ndim == len(tensor.shape) + 1 and all(
        size in (-1, there) for size, there in zip(tensor.shape, array.shape[1:], strict=True)
    )
    if not fits or not len(array):
        raise InvalidError(field, f"{name} is {list(array.shape)}", f"[examples, {str(list(tensor.shape))[1:-1]}]")
    if tensor.dtype == STRING:
        return _as_bytes(array, name, field)
    if array.dtype.kind not in "biuf":
        raise InvalidError(field, f"{name} is {array.dtype}", f"numbers, as the model takes {tensor.dtype}")
    if tensor.range is not None and not (tensor.range[0] <= array.min() and array.max() <= tensor.range[1]):
        found = f"{name} holds {array.min():g} to {array.max():g}"
        raise InvalidError(field, found, f"the range of the plan, {tensor.range[0]:g} to {tensor.range[1]:g}")
    return array.astype(tensor.dtype)


def _as_bytes(array: NDArray[Any], name: str, field: str) -> NDArray[Any]:
    if array.dtype.kind not in "SU":
        raise InvalidError(field, f"{name} is {array.dtype}", "texts (NumPy's S or U), as the model takes strings")
    encoded = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array
    return encoded.astype(object)


def _key(name: str) -> str:
    """NumPy can't keep every name: a slash would be a folder of the archive."""
    return re.sub(r"[/:]", "_", name)


def _read(source: str, field: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(source, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidError(field, f"{source} ({reason})", f"{ALLOWED}; texts as NumPy's S or U, no objects") from None
