"""What a SavedModel's own files say: read without TensorFlow, put into a plan, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from model_repo_builder.build.check import check
from model_repo_builder.build.samples import evaluation_set, with_kind
from model_repo_builder.cli import main
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.plan.schema import Plan
from model_repo_builder.sources.specification import savedmodel_signature
from tests.saved_model_file import write


def plan(source: Path | str, **model: Any) -> Plan:
    """A plan for the engine tensorflow."""
    raw = {
        "model": {"name": "own", "source": str(source), **model},
        "agreement": {"count": 2},
        "runtime": "python",
        "variants": [{"name": "original", "engine": "tensorflow"}],
    }
    return parse_plan(raw)


def vectors(folder: Path, *names: str, **more: Any) -> Path:
    """A SavedModel that takes vectors of four numbers."""
    return write(folder, dict.fromkeys(names or ("x",), (-1, 4)), {"y": (-1, 5)}, **more).parent


@pytest.mark.parametrize(
    ("folder", "name"),
    [("flowers/1", "flowers"), ("模型", "exports"), ("a b+c", "a-b-c"), ("._x_.", "x"), ("n" * 200, "n" * 100)],
)
def test_init_gives_every_folder_a_name_that_a_plan_may_have(
    folder: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(vectors(tmp_path / "exports" / folder))]) == 0
    written = tmp_path / "plan.yaml"
    written.write_text(capsys.readouterr().out, encoding="utf-8")
    found = yaml.safe_load(written.read_text(encoding="utf-8"))["model"]
    assert found["name"] == name
    assert main(["validate", str(written)]) == 0


@pytest.mark.parametrize(
    "name", ["my input", "größe", "\U0001f600", "a/b:0", 'say "hi"\\', "two\nlines", "\x7f\x85", "0", "x" * 300, "null"]
)
def test_init_writes_every_name_of_a_tensor_as_yaml_reads_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "m", {name: (-1, 4)}, {f"{name} out": (-1, 5)}).parent
    assert main(["init", str(source)]) == 0
    raw = yaml.safe_load(capsys.readouterr().out)
    assert (list(raw["model"]["inputs"]), list(raw["agreement"]["outputs"])) == ([name], [f"{name} out"])
    check(parse_plan(raw))


def test_a_file_of_a_savedmodel_may_be_a_link_to_one_of_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As caches of downloads have them."""
    blob = vectors(tmp_path / "blobs") / "saved_model.pb"
    blob.rename(tmp_path / "blobs" / "5f3c")
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "saved_model.pb").symlink_to("../blobs/5f3c")
    for source in (tmp_path / "flowers", tmp_path / "flowers" / "saved_model.pb"):
        assert main(["init", str(source)]) == 0
        raw = yaml.safe_load(capsys.readouterr().out)
        assert (raw["model"]["name"], raw["model"]["source"]) == ("flowers", str(source))
        check(parse_plan(raw))


def _loop(folder: Path) -> Path:
    folder.symlink_to(folder.name)
    return folder


def _file(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        (folder / name).write_bytes(b"anything")
        return folder / name

    return make


def _cut_off(folder: Path) -> Path:
    file = vectors(folder) / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-10])
    return folder


def _empty(folder: Path) -> Path:
    (vectors(folder) / "saved_model.pb").write_bytes(b"")
    return folder


def _inside(folder: Path) -> Path:
    vectors(folder / "saved_model")
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: "a\0b", r"a\\x00b does not exist; allowed: a directory"),
        (_loop, "is a link to nothing; allowed: a directory"),
        (lambda folder: folder / ("n" * 300), "; allowed: a directory"),
        (_file("model.tar.gz"), "is a file; allowed: the directory that is packed in it: unpack it first"),
        (_file("model.tflite"), "is a file; allowed: a SavedModel; a TensorFlow Lite file can't be turned back"),
        (_file("model.onnx"), "is a file; allowed: a SavedModel; Triton serves an ONNX file as it is"),
        (_file("saved_model.pbtxt"), "is a file; allowed: a SavedModel with saved_model.pb"),
        (_file("model.ckpt-1.index"), "is a file; allowed: a SavedModel; a checkpoint has the weights alone"),
        (_file("model.pt"), "is a file; allowed: a SavedModel; this file is of PyTorch"),
        (_inside, "holds no saved_model.pb, but a folder in it does; allowed: .*/saved_model$"),
        (_cut_off, "has a saved_model.pb that is damaged or cut off; allowed: a copy of all of it"),
        (_empty, "has a saved_model.pb without a graph; allowed: a SavedModel with a graph of the tag serve"),
        (lambda folder: vectors(folder, tags=("train",)), r"has graphs with the tags \[train\]; allowed: .* tag serve"),
        (lambda folder: vectors(folder, operations=("VarHandleOp",)), "has no variables/variables.index; allowed: a c"),
        (
            lambda folder: write(folder, {"x": (-1, 4)}, {"y": (-1, 0)}).parent,
            r"output y is \[-1, 0\]; allowed: sizes from 1 on",
        ),
        (lambda folder: vectors(folder, "self"), "an input has the name self; allowed: another name"),
        (lambda folder: "https://example.com/m", "allowed: s3://BUCKET/PATH or gs://BUCKET/PATH, or a directory"),
    ],
)
def test_a_source_that_can_not_be_served_is_refused_in_one_line(
    make: Callable[[Path], Path | str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError, match=rf"^model\.source: .*{message}") as refused:
        check(plan(make(tmp_path / "m")))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"input": {"name": "image"}}, "model.input.name: image; allowed: x, y, as its signature says"),
        (
            {"input": {"range": [0, 1]}},
            "model.input.range: [0.0, 1.0]; allowed: nothing, as the model takes x uint8 [4], y uint8 [4]",
        ),
        (
            {"inputs": {"x": {"range": [0, 256]}}},
            "model.inputs.x.range: [0.0, 256.0]; allowed: numbers of uint8, 0 to 255, as x is",
        ),
        ({"inputs": {"z": {}}}, "model.inputs.z: no input of the SavedModel; allowed: x, y"),
        ({"signature": "predict"}, "model.signature: predict; allowed: serving_default"),
    ],
)
def test_what_a_plan_says_of_inputs_is_never_passed_over(model: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "m", {"x": (-1, 4), "y": (-1, 4)}, {"z": (-1, 5)}, dtype="uint8").parent
    with pytest.raises(InvalidError) as refused:
        check(plan(source, **model))
    assert str(refused.value).startswith(message)


def test_a_signature_without_inputs_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "m", {}, {"y": (5,)}).parent
    with pytest.raises(InvalidError, match=r"model\.signature: serving_default takes no input; allowed: a signature"):
        check(plan(source, inputs={"x": {}}))


@pytest.mark.parametrize(("dtype", "largest"), [("int32", 9), ("uint8", 9), ("uint64", 2**40)])
def test_numbers_of_a_range_are_generated_for_what_has_only_the_shape_of_an_image(
    dtype: str, largest: int, tmp_path: Path
) -> None:
    """Places in a table of ten, as [height, width, 3]: pixels of 0 to 255 would be beyond it."""
    source = write(tmp_path / "m", {"ids": (-1, 4, 4, 3)}, {"y": (-1, 5)}, dtype=dtype).parent
    made = plan(source, inputs={"ids": {"range": [0, largest]}})
    found = evaluation_set(made, with_kind(made, savedmodel_signature(made.model)))["ids"]
    assert found.shape == (2, 4, 4, 3)
    assert 0 <= found.min() < found.max() <= largest


def test_config_prints_no_rank_that_nobody_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "plan.yaml"
    written.write_text(plan(vectors(tmp_path / "known")).model_dump_json(exclude_defaults=True))
    assert main(["config", str(written)]) == 0
    source = write(tmp_path / "m", {"x": (-1, 4)}, {"y": None}).parent
    written.write_text(plan(source).model_dump_json(exclude_defaults=True))
    assert main(["config", str(written)]) == 2
    assert "model.source: " in capsys.readouterr().err


def test_pixels_are_never_made_numbers_of_int8(tmp_path: Path) -> None:
    """A pixel of 200 would become -56."""
    source = write(tmp_path / "m", {"image": (-1, 8, 8, 3)}, {"y": (-1, 5)}, dtype="int8").parent
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    own = plan(source)
    with pytest.raises(InvalidError, match=r"^examples: .*; allowed: a file of examples, as the model takes no image"):
        check(parse_plan({**own.model_dump(exclude_unset=True), "examples": str(tmp_path)}))
    raw = {
        **own.model_dump(exclude_unset=True),
        "variants": [{"name": "files", "engine": "tensorflow", "encoded_images": True}],
    }
    with pytest.raises(InvalidError, match=r"encoded_images: true, and image is int8; allowed: false, or a model with"):
        check(parse_plan(raw))


@pytest.mark.parametrize(
    ("size", "method", "message"),
    [
        (1, "top1", r"y: top1; allowed: difference, equal, as the output is y float32 \[1\]$"),
        (5, "boxes", r"y: boxes; allowed: top1, difference, equal, as the output is y float32 \[5\]$"),
    ],
)
def test_a_comparison_that_can_show_nothing_of_an_output_is_refused(
    size: int, method: str, message: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "m", {"x": (-1, 4)}, {"y": (-1, size)}).parent
    raw = {**plan(source).model_dump(exclude_unset=True), "agreement": {"count": 2, "outputs": {"y": method}}}
    with pytest.raises(InvalidError, match=rf"^agreement\.outputs\.{message}"):
        check(parse_plan(raw))


def test_a_threshold_that_no_output_is_held_to_is_refused(tmp_path: Path) -> None:
    threshold = {"name": "original", "engine": "tensorflow", "agreement": {"min_same": 0.9}}
    with pytest.raises(InvalidError, match=r"min_same: 0\.9; allowed: min_top1, max_abs_diff or max_mean_abs_diff"):
        check(parse_plan({**plan(vectors(tmp_path / "m")).model_dump(exclude_unset=True), "variants": [threshold]}))


@pytest.mark.parametrize("key", [{"arguments": {"classes": 3}}, {"fallback_weights": "random:1"}])
def test_what_a_network_of_keras_is_made_by_is_refused_beside_a_savedmodel(key: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=rf"^model\.{next(iter(key))}: .*; allowed: nothing for a SavedModel"):
        plan(tmp_path, **key)


def test_examples_that_set_the_ranges_of_int8_are_finite(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=[[1, 2, np.inf, 4]] * 4)
    int8 = {"name": "int8", "engine": "onnxruntime", "precision": "int8"}
    raw = plan(vectors(tmp_path / "m")).model_dump(exclude_unset=True)
    with pytest.raises(InvalidError, match=r"x holds inf; allowed: finite numbers, as INT8 takes its ranges from them"):
        check(parse_plan({**raw, "examples": str(tmp_path / "x.npz"), "variants": [int8]}))
