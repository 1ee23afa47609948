"""Synthetic images are the same for a seed and differ among themselves; directories are checked before any work."""

from pathlib import Path

import numpy as np
import pytest

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
