"""The speed test executes built variants as the server would, and keeps what its tables follow from."""

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from model_repo_builder.cli import main
from model_repo_builder.speed_test import tables
from model_repo_builder.speed_test.results import SpeedTest

pytestmark = pytest.mark.slow

QUICK = ["--repeats=2", "--seconds=0.01", "--batch=1,4"]


def measured(repository: Path, output: Path, *more: str) -> SpeedTest:
    """The kept results of a quick speed test."""
    assert main(["speed-test", str(repository), f"--output={output}", *QUICK, *more]) == 0
    return SpeedTest.model_validate_json((output / "speed-test.json").read_text())


@pytest.fixture(scope="module")
def output(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a speed test of two variants leaves."""
    folder = tmp_path_factory.mktemp("speed")
    measured(repository, folder, "--only=original,bytes")
    return folder


def test_every_variant_has_every_batch_size_and_repeat(output: Path) -> None:
    test = SpeedTest.model_validate_json((output / "speed-test.json").read_text())
    assert [variant.name for variant in test.variants] == ["original", "bytes"]
    for variant in test.variants:
        assert [(point.batch, len(point.repeats)) for point in variant.points] == [(1, 2), (4, 2)]
    assert test.variants[1].packages["onnxruntime"]


def test_the_tables_follow_from_the_json_alone(output: Path) -> None:
    test = SpeedTest.model_validate_json((output / "speed-test.json").read_text())
    console = Console(width=120, record=True, quiet=False, file=(output / "again").open("w"))
    for table in tables.both(test):
        console.print(table)
    assert console.export_text() in (output / "speed-test.log").read_text()


def test_the_log_names_machine_and_method(output: Path) -> None:
    log = (output / "speed-test.log").read_text()
    assert "method: 2 repeats of 0.01 s each after a warm-up" in log
    assert "cores" in log


def test_random_weights_are_said_to_mean_nothing(output: Path) -> None:
    assert "chelsea.png (random weights: the classes mean nothing)" in (output / "speed-test.log").read_text()


def test_an_artefact_that_cannot_run_is_named(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(repository / "onnx_fp32", tmp_path / "repository" / "onnx_fp32")
    (copied / "1" / "model.onnx").write_bytes(b"no graph")
    assert main(["speed-test", str(copied.parent), f"--output={tmp_path}", *QUICK]) == 1
    error = capsys.readouterr().err
    assert error.startswith("model-repo-builder: error: variants.onnx_fp32: failed: ")
    assert len(error.splitlines()) == 1
    assert "onnx_fp32: onnxruntime fp32" in (tmp_path / "speed-test.log").read_text()
