"""Synthetic images are the same for a seed and differ among themselves; directories give all their images, in turn."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import images


def test_a_seed_gives_the_same_images_whatever_the_count() -> None:
    few, many = (images.load("synthetic:7", "f", count, (24, 32)) for count in (2, 5))
    assert few.shape == (2, 24, 32, 3)
    assert few.dtype == np.uint8
    assert np.array_equal(few, many[:2])


def test_skipped_images_are_not_those_of_the_calibration() -> None:
    first, second = images.load("synthetic:7", "f", 4, (16, 16)), images.load("synthetic:7", "f", 4, (16, 16), skip=2)
    assert np.array_equal(first[2:], second[:2])


def test_images_differ_in_content_brightness_and_colour() -> None:
    batch = images.load("synthetic:1", "f", 16, (32, 32)).astype(float)
    assert batch.mean(axis=(1, 2)).std(axis=0).min() > 10
    assert batch.std(axis=(1, 2)).min() > 3


def test_amplitude_falls_with_frequency_as_in_photographs() -> None:
    batch = images.load("synthetic:3", "f", 16, (64, 64))[..., 0].astype(float)
    spectrum = np.abs(np.fft.fft2(batch - batch.mean(axis=(1, 2), keepdims=True))).mean(axis=0)
    assert spectrum[1:3, 1:3].mean() > 5 * spectrum[16:20, 16:20].mean()


@pytest.mark.parametrize("name", ["missing", "file", "empty", "texts"])
def test_a_source_without_images_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "read.me").touch()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidError, match=r"calibration\.images: .*; allowed: a directory with \.jpg"):
        images.check(str(tmp_path / name), "calibration.images")


def test_a_misspelt_seed_is_no_directory() -> None:
    with pytest.raises(InvalidError, match=r"calibration\.images: synthetic:one; allowed: .* synthetic:SEED"):
        images.check("synthetic:one", "calibration.images")


def picture(path: Path, shade: int = 0) -> Path:
    """A small grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), shade).save(path)
    return path


def names(folder: Path) -> list[str]:
    """What is found below a directory."""
    return [path.relative_to(folder).as_posix() for path in images.files(str(folder), "f")]


def test_images_of_a_directory_come_in_the_order_of_their_names_whatever_their_suffix(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp"):
        picture(tmp_path / name)
    assert names(tmp_path) == ["a.png", "b.JPG", "c.webp"]


def test_folders_of_classes_give_one_image_of_each_in_turn(tmp_path: Path) -> None:
    for name in ("cats/1.png", "cats/2.png", "cats/3.png", "dogs/1.png", "dogs/pugs/7.png", "owls/1.png", "owls/2.png"):
        picture(tmp_path / name)
    found = names(tmp_path)
    assert found[:4] == ["cats/1.png", "dogs/1.png", "dogs/pugs/7.png", "owls/1.png"]
    assert found[4:] == ["cats/2.png", "owls/2.png", "cats/3.png"]


def test_hidden_files_and_folders_and_folders_named_like_images_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "real.png")
    picture(tmp_path / ".thumbnails" / "small.png")
    (tmp_path / "._real.png").write_bytes(b"resource fork")
    (tmp_path / "folder.png").mkdir()
    assert names(tmp_path) == ["real.png"]


def test_linked_folders_are_followed_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "1.png")
    top = tmp_path / "top"
    top.mkdir()
    (top / "cats").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(top)
    assert names(top) == ["cats/1.png"]


def test_every_bad_file_is_named_with_its_reason_and_the_good_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"good{number}.png")
    for number in range(30):
        (tmp_path / f"a file whose name is long {number}.png").write_bytes(b"no image")
    picture(tmp_path / "good3.png")
    (tmp_path / "cats").mkdir()
    Image.effect_noise((64, 64), 50).save(tmp_path / "cats" / "cut.jpg")
    (tmp_path / "cats" / "cut.jpg").write_bytes((tmp_path / "cats" / "cut.jpg").read_bytes()[:800])
    with pytest.raises(InvalidError) as raised:
        images.check(str(tmp_path), "calibration.images")
    line = str(raised.value)
    assert line.startswith(f"calibration.images: 31 of 35 images in {tmp_path} cannot be decoded, 4 are good: ")
    assert all(f"a file whose name is long {number}.png (no known image format)" in line for number in range(30))
    assert "cats/cut.jpg (image file is truncated" in line and "\n" not in line


def test_images_with_the_same_content_under_other_names_are_another_set(tmp_path: Path) -> None:
    for name in ("one/cats/1.png", "two/dogs/1.png"):
        picture(tmp_path / name)
    assert images.identity(str(tmp_path / "one")) != images.identity(str(tmp_path / "two"))


def test_images_of_a_directory_are_loaded_after_those_that_are_skipped(tmp_path: Path) -> None:
    for number in range(5):
        picture(tmp_path / f"{number}.png", 10 * number)
    assert images.load(str(tmp_path), "f", 2, (4, 4), skip=1)[:, 0, 0, 0].tolist() == [10, 20]
