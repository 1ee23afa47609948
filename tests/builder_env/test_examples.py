"""Examples from every kind of file and from directories: for calibration and agreement, and kept beside the model."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import savedmodel_kinds as kinds
import tensorflow as tf
from PIL import Image

from example_files import kept
from example_files.tf_record import record
from model_repo_builder.build.check import check
from model_repo_builder.build.directory import build
from model_repo_builder.cli import main
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.plan.schema import WARM_UP_REQUESTS
from model_repo_builder.report import BuildLog
from model_repo_builder.repository.manifest import Manifest
from model_repo_builder.sources.specification import WARM_UP_FILE

ROWS = np.random.default_rng(0).normal(size=(24, 8)).astype(np.float32)
INT8 = {"name": "int8", "engine": "onnxruntime", "precision": "int8", "max_batch_size": 4}
FP32 = {"name": "fp32", "engine": "onnxruntime", "max_batch_size": 4}


def dense(folder: Path) -> Path:
    """A table's row in, scores out: a product that INT8 can be taken from."""
    weights = tf.constant(np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32))
    return kinds.save(folder, lambda row: {"y": row @ weights}, tf.TensorSpec((None, 8), tf.float32, name="row"))


def plan(source: Path, *variants: dict[str, Any], **more: Any) -> Any:
    raw = {
        "model": {"name": "own", "source": str(source), **more.pop("model", {})},
        "calibration": {"count": 16, **more.pop("calibration", {})},
        "agreement": {"count": 6},
        "runtime": "python",
        "variants": list(variants),
        **more,
    }
    return parse_plan(raw)


@pytest.fixture
def built(tmp_path: Path, log: BuildLog) -> Callable[[Any], list[Manifest]]:
    """Build and give the manifests."""
    return lambda made: [row.manifest for row in build(made, tmp_path / "models", log)]


def sample(tmp_path: Path, variant: str) -> list[dict[str, Any]]:
    """What lies beside the model."""
    import gzip

    text = gzip.decompress((tmp_path / "models" / variant / "1" / kept.FILE).read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def as_npz(folder: Path) -> str:
    np.savez(folder / "rows.npz", row=ROWS)
    return str(folder / "rows.npz")


def as_lines(folder: Path) -> str:
    (folder / "rows.jsonl").write_text("\n".join(json.dumps({"row": row.tolist()}) for row in ROWS))
    return str(folder / "rows.jsonl")


def as_perf_analyzer(folder: Path) -> str:
    steps = [{"row": {"b64": base64.b64encode(row.tobytes()).decode()}} for row in ROWS]
    (folder / "rows.json").write_text(json.dumps({"data": steps}))
    return str(folder / "rows.json")


def as_records(folder: Path) -> str:
    with tf.io.TFRecordWriter(str(folder / "rows.tfrecord")) as file:
        for row in ROWS:
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=row))
            file.write(tf.train.Example(features=tf.train.Features(feature={"row": feature})).SerializeToString())
    return str(folder / "rows.tfrecord")


def as_warm_up_requests(folder: Path) -> str:
    """A request of 16 rows and one of 8, their tensors as TensorFlow makes them, in the messages of its Serving."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7]) + data

    path = folder / "m" / WARM_UP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    requests = []
    for rows in (ROWS[:16], ROWS[16:]):
        tensor = tf.make_tensor_proto(rows).SerializeToString()
        requests.append(field(6, field(1, field(2, field(1, b"row") + field(2, tensor)))))
    path.write_bytes(b"".join(map(record, requests)))
    return WARM_UP_REQUESTS


@pytest.mark.parametrize("write", [as_npz, as_lines, as_perf_analyzer, as_records, as_warm_up_requests])
def test_static_int8_takes_its_ranges_from_the_examples(
    write: Callable[[Path], str], tmp_path: Path, built: Callable[[Any], list[Manifest]]
) -> None:
    source = dense(tmp_path / "m")
    (made,) = built(plan(source, INT8, examples=write(tmp_path)))
    assert made.calibration and made.calibration.startswith("16 arrays of ")
    assert (made.notes["quantisation"], made.agreement.examples) == ("static", 6)
    # The calibration has seen the first 16; the sample is what agreement was taken on.
    assert made.examples and (made.examples.file, made.examples.rows) == (kept.FILE, 6)
    assert np.array_equal(np.float32([line["row"] for line in sample(tmp_path, "int8")]), ROWS[16:22])


def test_int8_without_real_examples_is_dynamic_and_static_is_refused(
    tmp_path: Path, built: Callable[[Any], list[Manifest]]
) -> None:
    source = dense(tmp_path / "m")
    (made,) = built(plan(source, INT8))
    assert (made.notes["quantisation"], made.calibration) == ("dynamic", None)
    static = {**INT8, "options": {"quantisation": "static"}}
    with pytest.raises(
        InvalidError, match=r"calibration\.arrays: synthetic:1; allowed: a file with real examples, or opt"
    ):
        plan(source, static, calibration={"arrays": "synthetic:1"})


def test_examples_of_different_lengths_are_each_sent_as_long_as_they_are(
    tmp_path: Path, built: Callable[[Any], list[Manifest]]
) -> None:
    random = np.random.default_rng(0)
    lengths = [3, 7, 7, 2, 9, 3]
    lines = [json.dumps(random.normal(size=(length, 4)).tolist()) for length in lengths]
    (tmp_path / "sounds.jsonl").write_text("\n".join(lines))
    variants = ({**FP32, "name": "tf", "engine": "tensorflow"}, FP32)
    made = built(plan(kinds.recurrent(tmp_path / "m"), *variants, examples=str(tmp_path / "sounds.jsonl")))
    assert [one.agreement.examples for one in made] == [6, 6]
    assert made[1].agreement.max_abs_diff < 1e-5
    assert [len(line["sequence"]) for line in sample(tmp_path, "fp32")] == lengths


def test_serialised_examples_go_to_a_signature_that_parses_them(
    tmp_path: Path, built: Callable[[Any], list[Manifest]]
) -> None:
    def serve(examples: Any) -> dict[str, Any]:
        parsed = tf.io.parse_example(examples, {"row": tf.io.FixedLenFeature([8], tf.float32)})
        return {"y": tf.reduce_sum(parsed["row"], -1)}

    source = kinds.save(tmp_path / "m", serve, tf.TensorSpec((None,), tf.string, name="examples"))
    (made,) = built(plan(source, {"name": "tf", "engine": "tensorflow"}, examples=as_records(tmp_path)))
    assert made.agreement.examples == 6
    first = tf.train.Example.FromString(base64.b64decode(sample(tmp_path, "tf")[0]["examples"]["b64"]))
    assert np.array_equal(np.float32(first.features.feature["row"].float_list.value), ROWS[16])


def pictures(folder: Path) -> str:
    folder.mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 256, (40, 30, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return str(folder)


def test_a_directory_of_images_serves_all_from_one_key(tmp_path: Path, built: Callable[[Any], list[Manifest]]) -> None:
    source = kinds.classifier(tmp_path / "m")
    made = built(plan(source, FP32, INT8, examples=pictures(tmp_path / "photos"), model={"input": {"range": [0, 255]}}))
    assert made[0].agreement.sample_kind == "images" and made[1].notes["quantisation"] == "static"
    assert np.array(sample(tmp_path, "fp32")[0]["image"]).shape == (kinds.SIZE, kinds.SIZE, 3)


def test_a_model_that_decodes_images_gets_the_files(tmp_path: Path, built: Callable[[Any], list[Manifest]]) -> None:
    folder = pictures(tmp_path / "photos")
    for path in Path(folder).glob("*.png"):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    (made,) = built(plan(kinds.encoded_images(tmp_path / "m"), {"name": "tf", "engine": "tensorflow"}, examples=folder))
    assert made.agreement.examples == 6
    files = sorted(Path(folder).iterdir())
    assert base64.b64decode(sample(tmp_path, "tf")[0]["image_bytes"]["b64"]) == files[0].read_bytes()


def test_a_wrong_row_stops_the_build_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("[1, 2, 3, 4, 5, 6, 7, 8]\n" * 3 + "[1, 2]\n")
    with pytest.raises(
        InvalidError, match=r"^examples: .*rows\.jsonl, line 4: row is \[2\]; allowed: \[8\], -1 being any"
    ):
        check(plan(dense(tmp_path / "m"), FP32, examples=str(path)))
    with pytest.raises(
        InvalidError, match=r"^examples: warm_up_requests, but there is no .*tf_serving_warmup_requests; "
    ):
        check(plan(tmp_path / "m", FP32, examples=WARM_UP_REQUESTS))
    with pytest.raises(InvalidError, match=r"^examples: .*none\.npz does not exist; allowed: a directory of images"):
        check(plan(tmp_path / "m", FP32, examples=str(tmp_path / "none.npz")))


def test_a_changed_configuration_keeps_the_sample(tmp_path: Path, built: Callable[[Any], list[Manifest]]) -> None:
    source, examples = dense(tmp_path / "m"), as_npz(tmp_path)
    built(plan(source, FP32, examples=examples))
    before = sample(tmp_path, "fp32")
    (made,) = built(plan(source, {**FP32, "max_batch_size": 2}, examples=examples))
    assert sample(tmp_path, "fp32") == before and made.examples and made.examples.rows == len(before)


def test_numbers_beyond_the_range_of_the_plan_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", user=np.array([1, 50, 7]), Weight=np.ones(3))
    inputs = {"user": {"range": [0, 49]}, "Weight": {"range": [0, 1]}}
    made = plan(kinds.two_numbers(tmp_path / "m"), FP32, examples=str(tmp_path / "rows.npz"), model={"inputs": inputs})
    with pytest.raises(
        InvalidError, match=r"^examples: .*: user holds 1 to 50; allowed: the range of the plan, 0 to 49"
    ):
        check(made)


def test_init_names_the_savedmodels_own_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = dense(tmp_path / "m")
    assert main(["init", str(source)]) == 0
    assert "\n# examples: requests.jsonl" in capsys.readouterr().out
    as_warm_up_requests(tmp_path)
    assert main(["init", str(source)]) == 0
    assert "\nexamples: warm_up_requests" in capsys.readouterr().out
