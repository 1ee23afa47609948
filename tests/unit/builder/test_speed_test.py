"""The figures of a speed test, and every mistake of its command, before anything is executed."""

from pathlib import Path
from typing import Any

import built
import pytest

from model_repo_builder.cli import main
from model_repo_builder.errors import BuildError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.speed_test import variants
from model_repo_builder.speed_test.results import Point, Repeat, best_guesses, summarise


@pytest.fixture
def repository(tmp_path: Path, raw: dict[str, Any]) -> Path:
    """A repository as `build` leaves it, with empty artefacts."""
    for variant in parse_plan(raw).variants:
        built.write(tmp_path / "repository", variant)
    return tmp_path / "repository"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """The option with an image that can be decoded."""
    from PIL import Image

    Image.new("RGB", (9, 9)).save(tmp_path / "grey.png")
    return f"--image={tmp_path / 'grey.png'}"


def refused(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """The one line on stderr, without the command's name."""
    assert main(["speed-test", *arguments]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("model-repo-builder: error: ")


def test_rates_and_percentiles_follow_from_the_latencies() -> None:
    first = Repeat(latencies_ms=(10.0, 20.0, 30.0), elapsed_s=0.06)
    second = Repeat(latencies_ms=(40.0,), elapsed_s=0.04)
    figures = summarise(Point(batch=2, repeats=(first, second)))
    assert (figures.rate_per_s, figures.slowest, figures.fastest) == pytest.approx((80, 50, 100))
    assert (figures.mean_ms, figures.p50_ms, figures.p95_ms, figures.runs) == pytest.approx((25, 25, 38.5, 4))


def test_the_best_guess_comes_first_and_has_its_name() -> None:
    import numpy as np

    guesses = best_guesses(np.array([1, 200, 7], np.uint8), ("ant", "bee"))
    assert [(guess.index, guess.name, guess.score) for guess in guesses] == [(1, "bee", 200), (2, "", 7), (0, "ant", 1)]


def test_plain_tensorflow_comes_first_because_the_others_compare_to_it(repository: Path) -> None:
    assert [found.name for found in variants.read(repository, [])] == ["original", "fast"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch=0"], "--batch: 0; allowed: whole numbers from 1 to 4096"),
        (["--batch=1,many"], "--batch: many; allowed: whole numbers from 1"),
        (["--repeats=0"], "--repeats: 0; allowed: whole numbers from 1"),
        (["--seconds=soon"], "--seconds: soon; allowed: numbers from 0.01"),
        (["--image=absent.jpg"], "--image: 1 of 2 images cannot be decoded, 1 are good: absent.jpg (No such file"),
    ],
)
def test_a_wrong_option_is_named(
    repository: Path, picture: str, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert refused(capsys, 2, str(repository), picture, *options).startswith(message)


def test_a_corrupt_image_is_named(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n")
    assert "torn.png (no known image format)" in refused(capsys, 2, str(repository), f"--image={tmp_path / 'torn.png'}")


def test_a_batch_above_the_maximum_names_the_variant(
    repository: Path, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, 2, str(repository), picture, "--batch=1,32")
    assert line == "--batch: 32; allowed: at most 16, max_batch_size of fast"


def test_an_unknown_variant_is_named(repository: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, 2, str(repository), picture, "--only=quick") == "--only: quick; allowed: fast, original"


def test_a_missing_artefact_is_named(repository: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "fast" / "1" / "model.onnx").unlink()
    assert "model.onnx is missing; allowed: whole variants" in refused(capsys, 1, str(repository), picture)


def test_a_torn_config_is_named(repository: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "fast" / "config.pbtxt").write_text("name: ")
    assert "config.pbtxt line 1:" in refused(capsys, 1, str(repository), picture)


@pytest.mark.parametrize(("target", "reason"), [("absent", "does not exist"), ("", "holds no variant")])
def test_a_target_that_is_none_is_named(
    tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str], target: str, reason: str
) -> None:
    assert reason in refused(capsys, 2, str(tmp_path / target), picture)


def test_a_gpu_variant_needs_a_gpu(repository: Path) -> None:
    path = repository / "fast" / "config.pbtxt"
    path.write_text(path.read_text().replace("KIND_CPU", "KIND_GPU"))
    found = variants.read(repository, ["fast"])
    with pytest.raises(BuildError, match=r"variants\.fast\.device: gpu \(this machine has none\); allowed: a machine"):
        variants.require_gpu(found, [])
    variants.require_gpu(found, ["NVIDIA T4"])
