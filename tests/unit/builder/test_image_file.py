"""An image file gives the pixels that a viewer shows, whatever its form; what gives none is refused in one line."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model_repo_builder.examples import image_file
from model_repo_builder.examples.image_file import BadImageError

RED, WHITE = (255, 0, 0), (255, 255, 255)
# Red on the left, blue on the right, and lighter at the top: no two ways of turning it look the same.
SHOWN = np.array([[[200, 0, 0], [0, 0, 200]], [[100, 0, 0], [0, 0, 100]]], np.uint8).repeat(8, 0).repeat(16, 1)


def decoded(path: Path) -> NDArray[np.int64]:
    """The pixels, as numbers that can be subtracted."""
    image = image_file.decode(path, "FILE")
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def write_png(path: Path, values: NDArray[np.uint16], colour_type: int, transparent: int | None = None) -> Path:
    """A PNG of 16 bits a channel, from values of shape [height, width, channels], by the format's own description."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    key = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_a_channel_become_their_upper_eight(tmp_path: Path, colour_type: int, channels: int) -> None:
    """As in tf.io.decode_png, and the same for grey and colour."""
    values = np.full((4, 8, channels), 0xFFFF, np.uint16)
    values[..., 0] = np.arange(32).reshape(4, 8) * 2048 + 255
    pixels = decoded(write_png(tmp_path / "16.png", values, colour_type))
    assert (pixels[..., 0] == np.arange(32).reshape(4, 8) * 8).all()


def test_a_grey_of_sixteen_bits_that_is_called_transparent_shows_white(tmp_path: Path) -> None:
    values = np.full((2, 2, 1), 0x1234, np.uint16)
    values[0, 0] = 0x1235
    pixels = decoded(write_png(tmp_path / "key.png", values, 0, transparent=0x1234))
    assert pixels[..., 0].tolist() == [[0x12, 255], [255, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_picture_is_turned_as_its_exif_orientation_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    """EXIF 2.32, tag 0x0112: where row 0 and column 0 of what is stored are shown."""
    turned = {
        1: SHOWN,
        2: SHOWN[:, ::-1],
        3: SHOWN[::-1, ::-1],
        4: SHOWN[::-1],
        5: SHOWN.swapaxes(0, 1),
        6: np.rot90(SHOWN),
        7: SHOWN[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(SHOWN, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"phone.{suffix}"
    Image.fromarray(np.ascontiguousarray(turned)).save(path, exif=exif, quality=95)
    assert decoded(path).shape == SHOWN.shape
    assert np.median(np.abs(decoded(path) - SHOWN)) <= 3


def test_exif_data_that_cannot_be_read_leave_the_picture_as_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    Image.fromarray(SHOWN).save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", quality=95)
    assert np.median(np.abs(decoded(path) - SHOWN)) <= 3


@pytest.mark.parametrize("form", ["RGBA", "RGBA webp", "LA", "P", "RGB with a key", "L with a key"])
def test_transparent_pixels_are_white_not_the_colour_that_they_hide(tmp_path: Path, form: str) -> None:
    hidden = Image.new("RGBA", (8, 4), (255, 0, 0, 255))
    hidden.paste((10, 20, 30, 0), (4, 0, 8, 4))
    path = tmp_path / ("clear.webp" if "webp" in form else "clear.png")
    mode, _, key = form.partition(" with a ")
    if key:
        value = {"RGB": (10, 20, 30), "L": 19}[mode]
        flat = hidden.convert("RGB").convert(mode)
        flat.paste(value, (4, 0, 8, 4))
        flat.save(path, transparency=value)
    elif form == "RGBA webp":
        hidden.save(path, lossless=True, exact=True)
    else:
        hidden.convert(form).save(path)
    pixels = decoded(path)
    assert (pixels[:, 4:] == 255).all(), "white"
    assert pixels[0, 0, 0] < 255 if mode in ("L", "LA") else tuple(pixels[0, 0]) == RED


def test_a_half_transparent_pixel_is_mixed_with_white(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 127)).save(tmp_path / "half.png")
    assert decoded(tmp_path / "half.png")[0, 0].tolist() == [255, 128, 128]


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_grey_palette_and_print_colours_become_those_of_a_screen(tmp_path: Path, mode: str) -> None:
    grey = mode in ("L", "1")
    image = Image.new("RGB", (16, 16), WHITE if grey else RED)
    image.paste((0, 0, 0), (8, 0, 16, 16))
    path = tmp_path / f"x.{'jpg' if mode in ('CMYK', 'YCbCr') else 'png'}"
    image.convert(mode).save(path, **({"quality": 98} if path.suffix == ".jpg" else {}))
    pixels = decoded(path)
    assert np.abs(pixels[8, 2] - (WHITE if grey else RED)).max() <= 6
    assert pixels[8, 13].max() <= 6


def test_an_image_of_more_than_178_megapixels_is_refused_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (15, 13)).save(path)
    header = struct.pack(">4sIIBBBBB", b"IHDR", 15000, 13000, 1, 0, 0, 0, 0)
    content = path.read_bytes()
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
    with pytest.raises(BadImageError) as raised:
        image_file.decode(path, "FILE")
    assert str(raised.value) == (
        f"FILE: {path} cannot be decoded (195 megapixels); "
        "allowed: images that can be decoded, of at most 178 megapixels"
    )


def test_an_image_below_that_is_decoded_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (15, 10)).save(tmp_path / "large.png")
    assert decoded(tmp_path / "large.png").shape == (10, 15, 3)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.png", None, "No such file or directory"),
        ("text.png", b"no image", "no known image format"),
        ("empty.png", b"", "no known image format"),
        ("cut.png", b"\x89PNG\r\n\x1a\n", ""),
    ],
)
def test_a_file_that_is_no_image_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadImageError) as raised:
        image_file.decode(tmp_path / name, "FILE")
    assert str(raised.value).startswith(f"FILE: {tmp_path / name} cannot be decoded ({reason}")
    assert raised.value.reason and "\n" not in str(raised.value)


def test_grey_of_thirty_two_bits_whose_white_nobody_knows_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "float.tif")
    with pytest.raises(BadImageError, match="pixels of 32 bits, whose white is not known"):
        image_file.decode(tmp_path / "float.tif", "FILE")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_a_file_with_a_broken_byte_gives_an_image_or_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken.{suffix}"
    Image.fromarray(SHOWN).save(path)
    whole = path.read_bytes()
    random = np.random.default_rng(3)
    for _ in range(80):
        broken = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            broken[place] = random.integers(256)
        path.write_bytes(broken[: random.integers(1, len(whole) + 1)])
        try:
            assert image_file.decode(path, "FILE").mode == "RGB"
        except BadImageError as error:
            assert "\n" not in str(error)
