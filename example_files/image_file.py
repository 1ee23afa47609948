"""One image file as RGB pixels, as a viewer shows it on a white page."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files.errors import ExampleFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PIXELS = 178_956_970
"""Pillow's own limit against decompression bombs: 512 MiB as RGB."""
ALLOWED = f"images that can be decoded, of at most {MOST_PIXELS // 10**6} megapixels"


class BadImageError(ExampleFileError):
    """A file that gives no image; `reason` says why in a few words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(str(path), f"it cannot be decoded ({reason})", ALLOWED)
        self.path, self.reason = path, reason


def decode(path: Path) -> Any:
    """The image of a file as PIL's RGB; BadImageError that names the file and the reason where it gives none.

    Turned as its EXIF orientation says; transparent pixels over white, for the colour that they hide is nobody's
    choice; of 16 bits a channel the upper 8, as `tf.io.decode_png` gives uint8; grey, palette and CMYK as their
    colours; of an animation the first frame. Colour profiles are not applied, neither does TensorFlow.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Of sizes below the limit, and of broken data beside the pixels: neither changes what is shown.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
                return _on_white(_upright(_eight_bits(image), image))
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        reason = f"{int(pixels[0]) / 1e6:.0f} megapixels" if pixels else "too large"
    except UnidentifiedImageError:
        reason = "no known image format"
    except OSError as error:
        reason = error.strerror or str(error)
    # A broken file makes Pillow's decoders raise errors of almost any kind.
    except Exception as error:
        reason = str(error) or type(error).__name__
    raise BadImageError(path, reason)


def fit(image: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image as uint8 [height, width, 3]: its shorter side scaled, the centre cut out, as on ImageNet."""
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(image, (size[1], size[0])), dtype=np.uint8)


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits as one of 8; colour of 16 bits Pillow has reduced already."""
    from PIL import Image

    # Older versions of Pillow give the 16 bits of a PNG in 32.
    if not image.mode.startswith("I;16") and (image.mode, image.format) != ("I", "PNG"):
        if image.mode in ("I", "F"):
            raise ValueError("pixels of 32 bits, whose white is not known")
        return image
    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    hidden = image.info.get("transparency")
    if hidden is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8))))


def _upright(image: Any, original: Any) -> Any:
    """Turned or mirrored as the EXIF data of the file says; as it is stored where they can't be read."""
    from PIL import ExifTags, Image

    try:
        orientation = original.getexif().get(ExifTags.Base.Orientation)
    # As with the image itself, broken data raise errors of almost any kind.
    except Exception:
        return image
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _on_white(image: Any) -> Any:
    """As RGB; what is transparent shows white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
