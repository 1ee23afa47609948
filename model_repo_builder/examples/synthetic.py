"""Synthetic images with the statistics of natural ones: the same for the same seed and index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_synthetic(source: str) -> bool:
    """Whether `source` is `synthetic:SEED` and not a directory."""
    return re.fullmatch(r"synthetic:\d{1,9}", source) is not None


def synthetic(seed: int, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
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
    pixels: NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
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
