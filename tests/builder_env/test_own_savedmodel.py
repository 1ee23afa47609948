"""plans/own-savedmodel.yaml, as it stands, on a SavedModel that is no ResNet: from a directory and from a bucket."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model_repo_builder.bucket import Bucket
from model_repo_builder.cli import main
from model_repo_builder.plan.file import load_plan
from model_repo_builder.sources import bucket as bucket_source

pytestmark = pytest.mark.slow

PLAN = Path(__file__).parents[2] / "plans" / "own-savedmodel.yaml"
ON_CPU = "--only=original_cpu,onnx_int8"
SIZE = 32


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plan, the SavedModel and the photographs where the plan expects them."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "plans").mkdir()
    shutil.copy(PLAN, folder / "plans")
    save_colour_classifier(folder / "exports" / "own-model")
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 120, (SIZE, SIZE, 3), np.uint8)
        pixels[..., number % 3] += 100
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    return folder


def save_colour_classifier(folder: Path) -> None:
    """A small convolutional network that tells which of three colours an image has most of."""
    module = tf.Module()
    module.kernel = tf.Variable(tf.eye(3)[None, None] / 255)
    module.classes = tf.Variable(tf.eye(3) * 20)

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="photo")])
    def serve(photo: Any) -> dict[str, Any]:
        features = tf.nn.relu(tf.nn.conv2d(photo, module.kernel, 1, "SAME"))
        return {"colour": tf.nn.softmax(tf.reduce_mean(features, (1, 2)) @ module.classes)}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


@pytest.fixture(scope="module")
def models(workplace: Path) -> Path:
    """The CPU variants, built."""
    output = workplace / "models"
    assert main(["build", str(workplace / "plans" / PLAN.name), f"--output={output}", ON_CPU, "--quiet"]) == 0
    return output


def test_the_plan_is_int8_with_batches_of_128_on_a_gpu_and_on_cpus() -> None:
    int8 = [variant for variant in load_plan(PLAN).variants if variant.precision == "int8"]
    assert [(v.engine, v.device, v.max_batch_size) for v in int8] == [
        ("tftrt", "gpu", 128),
        ("onnxruntime", "cpu", 128),
    ]


def test_the_int8_variant_agrees_on_own_photographs(models: Path, workplace: Path) -> None:
    made = json.loads((models / "onnx_int8" / "1" / "manifest.json").read_text())
    assert (made["weights"], made["agreement"]["top1"]) == ("of the SavedModel", 1.0)
    assert made["calibration"].startswith(f"500 images of {workplace / 'photos'}")
    assert "max_batch_size: 128" in (models / "onnx_int8" / "config.pbtxt").read_text()


def test_a_speed_test_of_the_plan_builds_and_measures_it(workplace: Path, models: Path) -> None:
    output = workplace / "speed"
    shutil.copytree(models, output / "models")
    quick = ["--repeats=1", "--seconds=0.01", "--batch=128", f"--image={workplace / 'photos' / '1.png'}"]
    assert main(["speed-test", str(workplace / "plans" / PLAN.name), f"--output={output}", ON_CPU, *quick]) == 0
    kept = json.loads((output / "speed-test.json").read_text())
    assert [variant["name"] for variant in kept["variants"]] == ["original_cpu", "onnx_int8"]
    assert {variant["guesses"][0][0]["index"] for variant in kept["variants"]} == {1}


def test_from_a_bucket_to_a_bucket(
    workplace: Path, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = Bucket("model.source", f"{s3}/exports"), Bucket("--output", f"{s3}/models")
    exported = workplace / "exports" / "own-model"
    for path in (path for path in exported.rglob("*") if path.is_file()):
        source.upload(path, path.relative_to(exported).as_posix())
    (workplace / "plans" / "remote.yaml").write_text(PLAN.read_text().replace("../exports/own-model", source.url))
    command = ["build", str(workplace / "plans" / "remote.yaml"), f"--output={output.url}", "--only=onnx_int8"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "first"))
    assert main(command) == 0
    assert f"onnx_int8: published at {output.url} as version 1" in capsys.readouterr().out
    assert b"specific" in (output.read("onnx_int8/config.pbtxt") or b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second"))
    bucket_source.fetch.cache_clear()
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"downloading what {output.url} has of it" in printed
    assert f"onnx_int8: at {output.url} as before" in printed
    assert "built in" not in printed
