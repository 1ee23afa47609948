"""An encoded image as the numbers that a model takes; also a part of generated model.py files, so it stands alone."""

import re
import warnings
from typing import Any

import numpy

MOST_PIXELS = 178_956_970
"""Pillow's own limit against decompression bombs: 512 MiB as RGB."""
# Weights of red, green and blue in brightness (ITU-R BT.601), as PIL and TensorFlow convert to grey.
LUMA = (0.299, 0.587, 0.114)


def decode(file: Any) -> Any:
    """The image of a path or of a file that is open as PIL's RGB; ValueError says in a few words why there is none.

    Turned as its EXIF orientation says; transparent pixels over white, for the colour that they hide is nobody's
    choice; of 16 bits a channel the upper 8, as `tf.io.decode_png` gives uint8; grey, palette and CMYK as their
    colours; of an animation the first frame. Colour profiles are not applied, neither does TensorFlow.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Of sizes below the limit, and of broken data beside the pixels: neither changes what is shown.
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
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
    raise ValueError(reason)


def fit(image: Any, size: tuple[int, int]) -> Any:
    """The image as uint8 [height, width, 3]: its shorter side scaled, the centre cut out, as on ImageNet."""
    from PIL import ImageOps

    return numpy.asarray(ImageOps.fit(image, (size[1], size[0])), dtype=numpy.uint8)


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether the channels of an image of this shape, [height, width, channels] or channels first, come first."""
    return shape[-1] not in (1, 3, 4)


def size_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an image of this shape."""
    first, second, third = shape[-3:]
    return (second, third) if is_channels_first(shape) else (first, second)


def arranged(pixels: Any, shape: tuple[int, ...]) -> Any:
    """RGB images, uint8 [n, height, width, 3], with the channels of images of `shape`: grey or RGBA, first or last."""
    first = is_channels_first(shape)
    channels = shape[-3] if first else shape[-1]
    if channels == 1:
        pixels = numpy.rint(pixels @ numpy.array(LUMA))[..., None].astype(numpy.uint8)
    elif channels == 4:
        pixels = numpy.concatenate([pixels, numpy.full_like(pixels[..., :1], 255)], axis=-1)
    return numpy.moveaxis(pixels, -1, 1) if first else pixels


def scaled(pixels: Any, least: float, most: float, dtype: str) -> Any:
    """Pixels of 0 to 255 as numbers of `least` to `most`."""
    return (pixels.astype(numpy.float32) / 255 * (most - least) + least).astype(dtype)


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits as one of 8; colour of 16 bits Pillow has reduced already."""
    from PIL import Image

    # Older versions of Pillow give the 16 bits of a PNG in 32.
    if not image.mode.startswith("I;16") and (image.mode, image.format) != ("I", "PNG"):
        if image.mode in ("I", "F"):
            raise ValueError("pixels of 32 bits, whose white is not known")
        return image
    values = numpy.asarray(image)
    grey = Image.fromarray((values >> 8).astype(numpy.uint8))
    hidden = image.info.get("transparency")
    if hidden is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(numpy.where(values == hidden, 0, 255).astype(numpy.uint8))))


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
