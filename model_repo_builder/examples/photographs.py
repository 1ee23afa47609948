"""Real photographs for calibration, agreement and speed tests: those that scikit-image ships, and windows of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_repo_builder.errors import InvalidError
from model_repo_builder.package_files import PHOTOGRAPHS

NAME = "photographs"
# Two sets of different motives, so that agreement is taken on photographs that the calibration has not seen.
CALIBRATION = ("coffee.png", "astronaut.png", "motorcycle_left.png", "moon.png", "gravel.png", "page.png")
EVALUATION = ("chelsea.png", "rocket.jpg", "camera.png", "coins.png", "brick.png", "hubble_deep_field.jpg")
CAT = "chelsea.png"
# The usual augmentation of ImageNet training takes windows of 8 % and more; these still show what the picture is of.
SMALLEST_WINDOW = 0.4

Box = tuple[int, int, int, int]


def files(field: str) -> list[Path]:
    """Every photograph of both sets; InvalidError on `field` where the package that ships them is not installed."""
    return [file(name, field) for name in (*CALIBRATION, *EVALUATION)]


def file(name: str, field: str) -> Path:
    """One photograph by its name."""
    try:
        return PHOTOGRAPHS.file(f"data/{name}")
    except FileNotFoundError as error:
        raise InvalidError(field, f"{NAME} ({error})", "that package, or images of your own") from None


def window(index: int, width: int, height: int) -> tuple[Box, bool]:
    """The window (left, top, right, bottom) in pixels of the image number `index` of a set, and whether to mirror it.

    The first window of each photograph is all of it; the others are the same for the same index.
    """
    if index < len(CALIBRATION):
        return (0, 0, width, height), False
    random = np.random.default_rng(index)
    scale = np.sqrt(random.uniform(SMALLEST_WINDOW, 1))
    inside_width, inside_height = round(width * scale), round(height * scale)
    left = int(random.integers(0, width - inside_width + 1))
    top = int(random.integers(0, height - inside_height + 1))
    return (left, top, left + inside_width, top + inside_height), bool(random.integers(2))
