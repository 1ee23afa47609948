"""A directory of images: which of its files are images, and each as an example of a model's input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files.errors import ExampleFileError
from example_files.image_pixels import MOST_PIXELS, arranged, decode, fit, size_of
from example_files.wanted import OPEN, STRING, Input, Row, Wanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
ALLOWED = f"a directory with {', '.join(SUFFIXES)} files"
DECODABLE = f"images that can be decoded, of at most {MOST_PIXELS // 10**6} megapixels"
# Sizes of the last dimension, or of the first, that make a tensor of three an image.
CHANNELS = (1, 3, 4)
SIDE = 224
"""Pixels of an image's sides where the model leaves them open: what most networks were trained on."""


def files(top: Path) -> list[Path]:
    """The image files of a directory and of the folders in it; ExampleFileError when there are none.

    In the order of their names; where there are folders, such as one for each class, one of each in turn, so that the
    first files are of all classes. Hidden files and folders, and files that are no images by their suffix, don't count.
    """
    try:
        found = sorted((place, name) for folder in _folders(top) for place, name in enumerate(_inside(folder)))
    except OSError as error:
        raise ExampleFileError(str(error.filename), error.strerror, "directories that can be read") from None
    if not found:
        raise ExampleFileError(str(top), "holds no images", ALLOWED)
    return [path for _, path in found]


def each(top: Path, wanted: Wanted) -> Iterator[Row]:
    """The images of a directory as a model takes them: pixels of 0 to 255 as numbers of the input's dtype.

    A model that takes one text gets the files' bytes. ExampleFileError where the model takes neither, or a file can't
    be decoded.
    """
    only = wanted.inputs[0]
    leading, shape = only.shape[:-3], only.shape[-3:]
    if wanted.sole_text is None and (len(wanted.inputs) > 1 or not is_image(only) or {*leading} - {1, OPEN}):
        taken = ", ".join(f"{one.name} {one}" for one in wanted.inputs)
        raise ExampleFileError(str(top), "a directory of images", f"a file of examples, as the model takes {taken}")
    for path in files(top):
        if wanted.sole_text is not None:
            yield {only.name: encoded(path, only)}
        else:
            image = pixels(path, shape, only.dtype)
            yield {only.name: image.reshape(*(1 for _ in leading), *image.shape)}


def encoded(path: Path, wanted: Input) -> NDArray[Any]:
    """The bytes of a file as an example of a text."""
    array = np.empty(1, object)
    array[0] = path.read_bytes()
    return array.reshape(wanted.shape and (1,))


def pixels(path: Path, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An image file as [height, width, channels] or [channels, height, width] of 0 to 255."""
    shape = _sized(shape)
    try:
        image = decode(path)
    except ValueError as error:
        raise ExampleFileError(str(path), f"it cannot be decoded ({error})", DECODABLE) from None
    made: NDArray[Any] = arranged(fit(image, size_of(shape))[None], shape)[0].astype(dtype)
    return made


def is_image(wanted: Input) -> bool:
    """Whether an input could be an image: numbers of [height, width, channels] or [channels, height, width].

    int8 ends at 127, and a pixel at 255.
    """
    shape = wanted.shape[-3:]
    return (
        wanted.dtype not in (STRING, "bool", "int8")
        and len(shape) == 3
        and (shape[2] in CHANNELS or shape[0] in CHANNELS)
    )


def _sized(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(SIDE if size == OPEN else size for size in shape)


def _folders(top: Path) -> Iterator[Path]:
    """The directory and all folders below it that are not hidden; links are followed, each folder once."""
    seen: set[Path] = set()
    for folder, names, _ in os.walk(top, followlinks=True, onerror=_fail):
        real = Path(folder).resolve()
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield Path(folder)


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _fail(error: OSError) -> None:
    raise error
