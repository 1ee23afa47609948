"""Images for calibration and agreement: from a directory, photographs, or synthetic ones with natural statistics."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import photographs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
ALLOWED = f"a directory with {', '.join(SUFFIXES)} files, photographs, or synthetic:SEED"


def is_synthetic(source: str) -> bool:
    """Whether `source` is `synthetic:SEED` and not a directory."""
    return re.fullmatch(r"synthetic:\d{1,9}", source) is not None


def files(source: str, field: str) -> list[Path]:
    """The image files of a directory in the order of their names; InvalidError on `field` when there are none."""
    if source == photographs.NAME:
        return photographs.files(field)
    folder = Path(source)
    if not folder.is_dir():
        raise InvalidError(field, source, ALLOWED)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InvalidError(field, f"{source} holds no images", ALLOWED)
    return found


def check(source: str, field: str) -> None:
    """Decode every image once, so that a corrupt one stops the build before any work; names the file."""
    if is_synthetic(source):
        return
    for path in files(source, field):
        decode(path, field)


@cache
def identity(source: str) -> str:
    """SHA-256 of a directory's images; empty for a synthetic set, which its seed identifies."""
    if is_synthetic(source):
        return ""
    digest = hashlib.sha256()
    for path in files(source, "images"):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
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


def synthetic(seed: int, index: int, size: tuple[int, int]) -> Images:
    """One image uint8 [height, width, 3] made of 1/f noise and a few discs; the same for the same seed and index.

    The amplitude of natural images falls with spatial frequency as 1/f, and their colour channels are strongly
    correlated (Field 1987; Ruderman et al. 1998). Occluding shapes add the edges that noise lacks (Lee et al. 2001).
    """
    random = np.random.default_rng([seed, index])
    brightness = random.uniform(60, 190, 3)
    shared = _noise(random, size, random.uniform(0.7, 1.6))
    channels = [0.8 * shared + 0.6 * _noise(random, size, random.uniform(0.7, 1.6)) for _ in range(3)]
    image = np.stack(channels, axis=-1) * random.uniform(15, 70) + brightness
    rows, columns = np.mgrid[: size[0], : size[1]]
    for _ in range(int(random.integers(0, 8))):
        centre = random.uniform(0, 1, 2) * size
        radius = min(size) * random.uniform(0.05, 0.35)
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        image[inside] = 0.3 * image[inside] + 0.7 * random.uniform(0, 255, 3)
    pixels: Images = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return pixels


def _noise(random: np.random.Generator, size: tuple[int, int], slope: float) -> Any:
    """Noise [height, width] of mean 0 and standard deviation 1 whose amplitude falls as 1/f^slope."""
    vertical = np.fft.fftfreq(size[0])[:, None]
    horizontal = np.fft.rfftfreq(size[1])[None, :]
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.standard_normal(size)) / frequency**slope
    noise = np.fft.irfft2(spectrum, s=size)
    return noise / (noise.std() + 1e-9)


def _window(names: Sequence[str], index: int, field: str, size: tuple[int, int]) -> Images:
    from PIL import ImageOps

    image = decode(photographs.file(names[index % len(names)], field), field)
    box, mirrored = photographs.window(index, *image.size)
    inside = image.crop(box)
    return fit(ImageOps.mirror(inside) if mirrored else inside, size)


def decode(path: Path, field: str) -> Any:
    """The image of a file as RGB; InvalidError that names the file where it can't be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        raise InvalidError(field, f"{path} cannot be decoded", "readable image files") from None


def fit(image: Any, size: tuple[int, int]) -> Images:
    """The image as uint8 [height, width, 3]: its shorter side scaled, the centre cut out, as on ImageNet."""
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(image, (size[1], size[0])), dtype=np.uint8)
