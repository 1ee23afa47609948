"""One image file as RGB pixels, as a viewer shows it on a white page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import image_pixels
from model_repo_builder.examples.image_pixels import MOST_PIXELS, fit

__all__ = ["ALLOWED", "MOST_PIXELS", "BadImageError", "decode", "fit"]

ALLOWED = f"images that can be decoded, of at most {MOST_PIXELS // 10**6} megapixels"


class BadImageError(InvalidError):
    """A file that gives no image; `reason` says why in a few words."""

    def __init__(self, field: str, path: Path, reason: str) -> None:
        super().__init__(field, f"{path} cannot be decoded ({reason})", ALLOWED)
        self.reason = reason


def decode(path: Path, field: str) -> Any:
    """The image of a file as PIL's RGB; BadImageError that names the file and the reason where it gives none."""
    try:
        return image_pixels.decode(path)
    except ValueError as error:
        raise BadImageError(field, path, str(error)) from None
