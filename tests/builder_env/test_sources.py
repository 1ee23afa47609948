"""One's own SavedModel is served under its own names; one that cannot be is refused by name."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model_repo_builder.build.directory import build
from model_repo_builder.engines.tensorflow import load_savedmodel
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.signature import InputForm
from model_repo_builder.sources import keras as keras_source
from model_repo_builder.sources import specification
from model_repo_builder.sources.freeze import freeze

FLOATS, BYTES = InputForm("float32"), InputForm("uint8")


def save(folder: Path, shape: tuple[int | None, ...]) -> Path:
    """A SavedModel with a variable, whose signature takes `photo` and gives `mean` and `bright`."""
    module = tf.Module()
    module.scale = tf.Variable([1.0, 2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32, name="photo")])
    def serve(photo: Any) -> dict[str, Any]:
        mean = tf.reduce_mean(photo, axis=list(range(1, len(shape) + 1)))
        scaled = tf.reshape(mean, (-1, 1)) * module.scale
        return {"mean": scaled, "bright": tf.sigmoid(scaled)}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"classify": serve})
    return folder


def own(folder: Path, **more: Any) -> dict[str, Any]:
    """A plan for the SavedModel in `folder`."""
    model = {"name": "own", "source": str(folder), "signature": "classify", **more}
    variants = [
        {"name": "original", "engine": "tensorflow"},
        {"name": "fast", "engine": "onnxruntime", "agreement": {"max_abs_diff": 0.01}},
    ]
    return {"model": model, "agreement": {"count": 4}, "runtime": "python", "variants": variants}


def test_a_savedmodel_keeps_its_names(tmp_path: Path, log: BuildLog) -> None:
    rows = build(parse_plan(own(save(tmp_path / "m", (8, 6, 3)))), tmp_path / "repository", log)
    signature = rows[1].manifest.signature
    assert [(tensor.name, tensor.shape) for tensor in signature.inputs] == [("photo", (8, 6, 3))]
    assert {tensor.name for tensor in signature.outputs} == {"mean", "bright"}


def test_the_size_of_a_dynamic_savedmodel_can_be_fixed(tmp_path: Path) -> None:
    parsed = parse_plan(own(save(tmp_path / "m", (None, None, 3)), input={"size": [8, 8]}))
    frozen = freeze(parsed.model, tmp_path / "frozen", {BYTES})
    predict = load_savedmodel(frozen.savedmodel(BYTES), frozen.signature.in_form(BYTES))
    assert predict({"photo": np.full((2, 8, 8, 3), 10, np.uint8)})["mean"].tolist() == [[10, 20, 30]] * 2


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((8, 8, 3), {"input": {"size": [9, 8]}}, r"model\.input\.size: \[9, 8\]; allowed: \[8, 8\]"),
        ((8, 8, 3), {"signature": "absent"}, r"model\.signature: absent; allowed: classify"),
        ((1,), {"input": {"size": [9, 8]}}, r"model\.input\.size: \[9, 8\]; allowed: nothing: photo is no image"),
        ((1,), {"inputs": {"image": {"range": [0, 1]}}}, r"model\.inputs\.image: no input .*; allowed: photo"),
        (
            (1,),
            {"preprocessing": "tf"},
            r"model\.preprocessing: tf; allowed: none, as .* photo float32 \[1\]",
        ),
    ],
)
def test_a_savedmodel_that_does_not_fit_is_refused(
    tmp_path: Path, shape: tuple[int | None, ...], changes: dict[str, Any], message: str
) -> None:
    parsed = parse_plan(own(save(tmp_path / "m", shape), **changes))
    with pytest.raises(InvalidError, match=message):
        freeze(parsed.model, tmp_path / "frozen", {FLOATS})


def test_an_unknown_keras_network_is_refused_with_the_known_ones(tmp_path: Path, raw: dict[str, Any]) -> None:
    raw["model"]["source"] = "keras:ResNet51"
    with pytest.raises(InvalidError, match=r"model\.source: keras:ResNet51; allowed: .*keras:ResNet50"):
        freeze(parse_plan(raw).model, tmp_path, {FLOATS})


def no_network(weights: str | None = None, **_: Any) -> None:
    raise OSError("URL fetch failure")


def test_weights_that_cannot_be_downloaded_stop_the_build(
    tmp_path: Path, raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.keras.applications, "MobileNetV2", no_network)
    raw["model"]["weights"] = "imagenet"
    with pytest.raises(BuildError, match=r"model\.weights: imagenet \(cannot be downloaded.*; allowed: a working"):
        freeze(parse_plan(raw).model, tmp_path, {FLOATS})


def test_the_fallback_is_named_as_such(raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real = tf.keras.applications.MobileNetV2
    offline = lambda weights, **rest: no_network() if weights else real(weights=None, **rest)  # noqa: E731
    monkeypatch.setattr(tf.keras.applications, "MobileNetV2", offline)
    raw["model"] |= {"weights": "imagenet", "fallback_weights": "random:42"}
    model = parse_plan(raw).model
    loaded = keras_source.load(model, specification.keras_signature(model))
    assert loaded.weights == "random:42 (imagenet could not be downloaded)"
    assert not loaded.pretrained


def test_a_fault_that_is_not_the_networks_is_named_and_nothing_stands_in(
    raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tf.keras.applications, "MobileNetV2", full_disk)
    raw["model"] |= {"weights": "imagenet", "fallback_weights": "random:42"}
    model = parse_plan(raw).model
    with pytest.raises(BuildError, match=r"model\.weights: imagenet \(OSError: \[Errno 28\] No space left"):
        keras_source.load(model, specification.keras_signature(model))


def test_random_weights_are_the_same_for_the_same_seed(raw: dict[str, Any]) -> None:
    model = parse_plan(raw).model
    signature = specification.keras_signature(model)
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32))
    first, second = (keras_source.load(model, signature).network(images)["probabilities"] for _ in range(2))
    assert np.array_equal(first, second)
    assert np.ptp(first, axis=0).max() > 0.01
