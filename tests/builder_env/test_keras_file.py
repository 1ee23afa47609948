"""Models that Keras saved in one file: `.keras` of Keras 3, `.h5` of Keras 3 and of Keras 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from model_repo_builder.cli import main
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.model import Model
from model_repo_builder.sources import keras_file, specification

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def classifier(library: Any) -> Any:
    """A convolutional network for images of 16 x 16 with four classes."""
    layers = library.layers
    image = library.Input((16, 16, 3), name="image")
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(image))
    return library.Model(image, layers.Dense(4, activation="softmax", name="classes")(features))


def table(library: Any) -> Any:
    """Two inputs, one of numbers and one of categories."""
    layers = library.layers
    numbers, shop = library.Input((5,), name="numbers"), library.Input((1,), dtype="int32", name="shop")
    known = layers.Flatten()(layers.Embedding(10, 3)(shop))
    return library.Model([numbers, shop], layers.Dense(1, name="price")(layers.Concatenate()([numbers, known])))


@keras.saving.register_keras_serializable("tests")
class Doubling(keras.layers.Layer):
    """A layer of one's own: its code is in no file."""

    def call(self, values: Any) -> Any:
        return 2 * values


SAVED: dict[str, Callable[[], Any]] = {
    "classifier.keras": lambda: classifier(keras),
    "table.keras": lambda: table(keras),
    "classifier.h5": lambda: classifier(keras),
    "of_keras_2.h5": lambda: classifier(tf_keras),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_file_of_keras_is_served_with_the_answers_of_its_model(name: str, tmp_path: Path) -> None:
    model = SAVED[name]()
    model.save(tmp_path / name)
    loaded = tf.saved_model.load(str(keras_file.fetch(tmp_path / name))).signatures["serving_default"]
    random = np.random.default_rng(0)
    rows = {
        one.name.partition(":")[0]: random.integers(0, 10, (3, *one.shape[1:])).astype(
            tf.as_dtype(one.dtype).as_numpy_dtype
        )
        for one in model.inputs
    }
    expected = model.predict(list(rows.values()) if len(rows) > 1 else next(iter(rows.values())), verbose=0)
    (answer,) = loaded(**{key: tf.constant(value) for key, value in rows.items()}).values()
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_a_plan_made_by_init_of_a_keras_file_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(keras).save(tmp_path / "prices.keras")
    assert main(["init", str(tmp_path / "prices.keras")]) == 0
    plan = tmp_path / "plan.yaml"
    plan.write_text(capsys.readouterr().out)
    assert main(["build", str(plan), f"--output={tmp_path / 'models'}", "--only=original,onnx_fp32", "--quiet"]) == 0
    assert (tmp_path / "models" / "onnx_fp32" / "1" / "model.onnx").is_file()


def test_the_same_file_has_the_same_identity_however_often_it_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier(keras).save(tmp_path / "same.keras")
    model = Model(name="same", source=str(tmp_path / "same.keras"))
    seen = set()
    for cache in ("first", "second"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        keras_file.fetch.cache_clear()
        specification.check(model)
        seen.add(specification.identity(model))
    assert len(seen) == 1


def own_layer(path: Path) -> None:
    keras.Sequential([keras.Input((3,)), Doubling()]).save(path)


def own_model(path: Path) -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return values

    model = Own()
    model(np.zeros((1, 3), np.float32))
    model.save(path)


def unseen_code(path: Path) -> None:
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)]).save(path)


@pytest.mark.parametrize(
    ("name", "save", "says"),
    [
        ("own.keras", own_layer, "Could not locate class 'Doubling'; allowed"),
        ("own.h5", own_layer, "Unknown layer: '.*Doubling'; allowed"),
        ("subclass.keras", own_model, "Could not locate class 'Own'; allowed"),
        ("lambda.keras", unseen_code, "Lambda|lambda"),
    ],
)
def test_what_keras_can_not_load_is_refused_in_one_line(
    name: str, save: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    save(tmp_path / name)
    with pytest.raises(InvalidError, match=says) as raised:
        keras_file.fetch(tmp_path / name)
    assert str(raised.value).startswith(f"model.source: {tmp_path / name} can't be loaded by Keras: ")
    assert "\n" not in str(raised.value)


def test_weights_alone_are_refused_by_name(tmp_path: Path) -> None:
    classifier(keras).save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(InvalidError, match="holds weights alone"):
        keras_file.fetch(tmp_path / "only.weights.h5")
