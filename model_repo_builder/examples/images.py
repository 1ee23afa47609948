"""Images for calibration and agreement: from a directory, photographs, or synthetic ones with natural statistics."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from example_files import image_folder
from example_files.errors import ExampleFileError
from example_files.image_folder import SUFFIXES
from model_repo_builder.errors import BuilderError, InvalidError
from model_repo_builder.examples import photographs
from model_repo_builder.examples.image_file import ALLOWED as DECODABLE
from model_repo_builder.examples.image_file import BadImageError, decode, fit
from model_repo_builder.examples.synthetic import is_synthetic, synthetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

ALLOWED = f"a directory with {', '.join(SUFFIXES)} files, photographs, or synthetic:SEED"
# A directory of thousands of bad files need not fill the screen.
MOST_NAMED = 50


class BadImagesError(InvalidError):
    """Files of a directory that give no image, each with the reason; says how many others are good."""

    def __init__(self, field: str, source: str, bad: Sequence[str], count: int) -> None:
        named = ", ".join(bad[:MOST_NAMED]) + (f" and {len(bad) - MOST_NAMED} more" if bad[MOST_NAMED:] else "")
        where = f" in {source}" if source else ""
        text = f"{len(bad)} of {count} images{where} cannot be decoded, {count - len(bad)} are good: {named}"
        # Not cut off as other values are: the names are what the user needs.
        BuilderError.__init__(self, f"{field}: {' '.join(text.split())}; allowed: {DECODABLE}")
        self.field = field


def files(source: str, field: str) -> list[Path]:
    """The image files of a directory and of the folders in it, of each folder in turn, or the photographs.

    InvalidError on `field` where there are none.
    """
    if source == photographs.NAME:
        return photographs.files(field)
    if not os.path.isdir(Path(source)):  # noqa: PTH112 -- pathlib raises for a name that no file can have
        raise InvalidError(field, source, ALLOWED)
    try:
        return image_folder.files(Path(source))
    except ExampleFileError as error:
        raise InvalidError(field, error.found, ALLOWED) from None


def check(source: str, field: str) -> None:
    """Decode every image once, so that bad ones stop the build before any work; BadImagesError names all of them."""
    if not is_synthetic(source):
        check_files(files(source, field), field, source)


def check_files(paths: Sequence[Path], field: str, source: str = "") -> None:
    """Decode every file; BadImagesError names all that give no image, and where they come from if `source` says."""
    bad = []
    for path in paths:
        try:
            decode(path, field)
        except BadImageError as error:
            bad.append(f"{_name(path, source)} ({error.reason})")
    if bad:
        raise BadImagesError(field, source, bad, len(paths))


@cache
def identity(source: str) -> str:
    """SHA-256 of a directory's images; empty for a synthetic set, which its seed identifies."""
    if is_synthetic(source):
        return ""
    digest = hashlib.sha256()
    for path in files(source, "images"):
        digest.update(_name(path, source).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def load(source: str, field: str, count: int, size: tuple[int, int], skip: int = 0) -> Images:
    """Images uint8 [n, height, width, 3], RGB: `count` of them after the first `skip`.

    A directory with fewer images than skip + count gives those it has, from its end, and at least one.
    Photographs give windows of one set of them, and of the other set after a `skip`.
    """
    if is_synthetic(source):
        seed = int(source.removeprefix("synthetic:"))
        return np.stack([synthetic(seed, skip + index, size) for index in range(count)])
    if source == photographs.NAME:
        chosen = photographs.EVALUATION if skip else photographs.CALIBRATION
        return np.stack([_window(chosen, index, field, size) for index in range(count)])
    found = files(source, field)
    return np.stack([fit(decode(path, field), size) for path in found[skip : skip + count] or found[-count:]])


def _name(path: Path, source: str) -> str:
    """A file's name for people: below its directory, that of a photograph, or as it was given."""
    if source == photographs.NAME:
        return path.name
    return path.relative_to(source).as_posix() if source else str(path)


def _window(names: Sequence[str], index: int, field: str, size: tuple[int, int]) -> Images:
    from PIL import ImageOps

    image = decode(photographs.file(names[index % len(names)], field), field)
    box, mirrored = photographs.window(index, *image.size)
    inside = image.crop(box)
    pixels: Images = fit(ImageOps.mirror(inside) if mirrored else inside, size)
    return pixels
