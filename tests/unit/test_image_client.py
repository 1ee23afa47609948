"""Wrong use of image-client is one line that names it; files become requests of the published form."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line.errors import ModelError
from image_client.cli import main
from image_client.served_model import TensorInfo, image_model
from model_repo_builder.examples.image_file import ALLOWED

SCORES = TensorInfo("probabilities", "FP32", (-1, 10))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red image of 40 x 20 pixels."""
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 20), (255, 0, 0)).save(path)
    return path


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_an_image_becomes_a_json_request_without_a_server(photo: Path, tmp_path: Path) -> None:
    assert main([str(photo), "--size=4x6", f"--write-json={tmp_path / 'out'}"]) == 0
    request = json.loads((tmp_path / "out" / "red.png.json").read_text())
    pixels = np.array(request["instances"])
    assert pixels.shape == (1, 4, 6, 3) and (pixels == [255, 0, 0]).all()


def test_a_bad_file_is_named_and_the_others_are_done(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_text("no image")
    files = [str(tmp_path / "bad.png"), str(tmp_path / "absent.png"), str(photo)]
    assert main([*files, "--size=4x6", f"--write-json={tmp_path / 'out'}"]) == 1
    for line, file, reason in zip(
        _lines(capsys), files, ["no known image format", "No such file or directory"], strict=False
    ):
        assert line == f"image-client: error: FILE: {file} cannot be decoded ({reason}); allowed: {ALLOWED}; skipped"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["red.png.json"]


def test_files_of_which_there_is_none_are_named_before_a_server_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "absent.png")
    assert main([absent, "--address=localhost:1"]) == 2
    assert _lines(capsys) == [f"image-client: error: FILE: {absent!r} is not allowed; name image files that exist"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--address=localhost"], "address: 'localhost'"),
        (["--top=0"], "top: '0'"),
        (["--top=many"], "top: 'many'"),
        (["--size=4"], "size: '4'"),
        (["--timeout-s=0"], "timeout-s: '0'"),
        (["--labels=absent.txt"], "labels: 'absent.txt'"),
        (["--protocol=grpc", "--labels=labels.txt"], "labels: 'labels.txt'"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], field: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write = [f"--write-json={tmp_path}"] if "size" in field else ["--address=127.0.0.1:1"]
    assert main([str(photo), *write, *arguments]) == 2
    (line,) = _lines(capsys)
    assert line.startswith(f"image-client: error: {field} is not allowed; ")


@pytest.mark.parametrize("protocol", ["json", "grpc"])
def test_a_server_that_is_not_there_is_one_line(protocol: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo), f"--protocol={protocol}", "--address=127.0.0.1:1", "--timeout-s=5"]) == 1
    (line,) = _lines(capsys)
    assert line.startswith("image-client: error: no ") and "127.0.0.1:1" in line


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [TensorInfo("x", "FP32", (-1, 5))],
        [TensorInfo("x", "FP32", (-1, -1, -1, 3))],
        [TensorInfo("x", "FP32", (-1, 3, 8, 8))],
        [TensorInfo(name, "FP32", (-1, 8, 8, 3)) for name in "xy"],
    ],
)
def test_a_model_that_takes_no_image_is_refused(inputs: list[TensorInfo]) -> None:
    with pytest.raises(ModelError, match="not one batch of images"):
        image_model("m", inputs, [SCORES])


def test_a_model_of_several_outputs_is_refused() -> None:
    with pytest.raises(ModelError, match="not one tensor of scores"):
        image_model("m", [TensorInfo("x", "FP32", (-1, 8, 8, 3))], [SCORES, SCORES])
