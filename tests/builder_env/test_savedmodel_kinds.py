"""Every kind of SavedModel is built with equal answers, or refused in one line that says what is allowed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import savedmodel_kinds as kinds
import tensorflow as tf
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.build.check import check
from model_repo_builder.build.directory import build
from model_repo_builder.cli import main
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.repository.manifest import Manifest

TENSORFLOW = {"name": "tf", "engine": "tensorflow", "max_batch_size": 8}
OPEN_IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32, name="image")
ONNX = {"name": "onnx", "engine": "onnxruntime", "max_batch_size": 8}


def plan(source: Path, *variants: dict[str, Any], agreement: dict[str, Any] | None = None, **model: Any) -> Any:
    """A plan for a SavedModel, for both engines where no variants are given."""
    raw = {
        "model": {"name": "own", "source": str(source), **model},
        "agreement": {"count": 4, **(agreement or {})},
        "runtime": "python",
        "variants": list(variants) or [TENSORFLOW, ONNX],
    }
    return parse_plan(raw)


@pytest.fixture
def built(tmp_path: Path, log: BuildLog) -> Callable[..., list[Manifest]]:
    """Build and give the manifests."""

    def run(*arguments: Any, **more: Any) -> list[Manifest]:
        return [row.manifest for row in build(plan(*arguments, **more), tmp_path / "models", log)]

    return run


def config(folder: Path, name: str) -> Any:
    return text_format.Parse((folder / "models" / name / "config.pbtxt").read_text(), pb.ModelConfig())


@pytest.mark.parametrize(
    "make",
    [
        kinds.classifier,
        kinds.official_resnet,
        kinds.dropout_of_tensorflow_1,
        kinds.texts_out,
        kinds.two_numbers,
        kinds.recurrent,
        kinds.branches,
        kinds.exact_gelu,
        kinds.odd_names,
        kinds.compiled_by_xla,
        kinds.keyword_names,
    ],
)
def test_both_engines_answer_as_the_source(
    make: Callable[[Path], Path], tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    for made in built(make(tmp_path / "m")):
        assert made.signature.batched
        for result in made.agreement.outputs.values():
            assert result.same == 1.0
            assert result.max_abs_diff <= 1e-5 * max(result.largest, 1)


@pytest.mark.parametrize(
    "dtype",
    [tf.uint8, tf.int8, tf.int16, tf.int32, tf.int64, tf.float16, tf.float64, tf.bool],
    ids=lambda one: one.name,
)
def test_the_types_of_the_signature_are_served(
    dtype: Any, tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    made = built(kinds.many_types(tmp_path / "m", dtype), TENSORFLOW)[0]
    assert [tensor.dtype for tensor in (*made.signature.inputs, *made.signature.outputs)] == [dtype.name] * 2


def test_bfloat16_is_served_as_float32_and_said(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    folder = kinds.save(
        tmp_path / "m", lambda image: {"p": tf.cast(kinds.probabilities(image), tf.bfloat16)}, kinds.IMAGES
    )
    assert built(folder, TENSORFLOW)[0].signature.outputs[0].dtype == "float32"


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_first_dimension_is_never_a_batch(
    batch: int, tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    made = built(kinds.fixed_batch(tmp_path / "m", batch))
    assert {one.signature.batched for one in made} == {False}
    served = config(tmp_path, "onnx")
    assert (served.max_batch_size, list(served.input[0].dims)) == (0, [batch, kinds.SIZE, kinds.SIZE, 3])
    assert not served.HasField("dynamic_batching")


@pytest.mark.parametrize("make", [kinds.clip, kinds.depends_on_others, kinds.branches_on_the_batch])
def test_rows_that_depend_on_one_another_are_not_batched(
    make: Callable[[Path], Path], tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    source = make(tmp_path / "m")
    assert not built(source, TENSORFLOW)[0].signature.batched
    assert config(tmp_path, "tf").max_batch_size == 0
    shutil.rmtree(tmp_path / "models")
    with pytest.raises(InvalidError, match=r"model\.batching: true; allowed: false, as output p"):
        built(source, TENSORFLOW, batching=True)


@pytest.mark.parametrize(
    ("make", "more"),
    [(kinds.shares_of_the_largest, {}), (kinds.numbered_texts, {"inputs": {"text": {"values": ["one"]}}})],
)
def test_examples_that_are_all_alike_do_not_hide_that_rows_depend_on_one_another(
    make: Callable[[Path], Path], more: dict[str, Any], tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    assert not built(make(tmp_path / "m"), TENSORFLOW, **more)[0].signature.batched


def test_a_graph_that_takes_one_row_alone_is_served_with_one(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    for made in built(kinds.one_row_inside(tmp_path / "m")):
        assert (made.signature.batched, made.agreement.outputs["p"].same) == (False, 1.0)
        assert made.signature.inputs[0].sample_shape == (1, kinds.SIZE, kinds.SIZE, 3)


def test_a_model_that_changes_its_variables_is_served_as_it_is(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    with pytest.raises(
        BuildError,
        match=r"variants\.onnx: ONNX has no variables, .* by AssignAddV.*; allowed: engine tensorflow \(built: tf\)$",
    ):
        built(kinds.counts_calls(tmp_path / "m"))
    assert (tmp_path / "models" / "tf" / "1" / "model.savedmodel" / "variables").is_dir()


def test_a_key_that_comes_back_under_its_own_name_leaves_no_alias(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    built(kinds.key_passed_on(tmp_path / "m"), TENSORFLOW)
    served = config(tmp_path, "tf")
    assert "key" in {tensor.name for tensor in served.input} & {tensor.name for tensor in served.output}
    assert not (tmp_path / "models" / "tf" / "1" / "alias").exists()


def test_integers_are_divided_as_tensorflow_does(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    """tf2onnx rounds towards zero, which only negative numbers show."""
    openvino = {**ONNX, "name": "ov", "engine": "openvino"}
    made = built(kinds.floored(tmp_path / "m"), ONNX, openvino, inputs={"a": {"range": [-50, 50]}})
    assert [one.same for variant in made for one in variant.agreement.outputs.values()] == [1.0] * 8


def test_a_number_alone_is_reshaped(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    built(kinds.two_numbers(tmp_path / "m"), TENSORFLOW)
    served = config(tmp_path, "tf")
    assert {tensor.name for tensor in served.input} == {"user", "Weight"}
    assert all(list(tensor.dims) == [1] and tensor.HasField("reshape") for tensor in (*served.input, *served.output))


def test_a_scalar_without_a_batch_is_served_as_an_array_of_one(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    """Triton loads no model without a batch whose inputs or outputs are reshaped to nothing."""
    for made in built(kinds.scalars(tmp_path / "m")):
        assert made.agreement.max_abs_diff == 0
        served = config(tmp_path, made.variant)
        assert (served.max_batch_size, {tuple(tensor.dims) for tensor in served.output}) == (0, {(-1, 4), (1,)})
        assert not any(tensor.HasField("reshape") for tensor in (*served.input, *served.output))


def test_the_keys_of_the_signature_are_the_names(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    built(kinds.odd_names(tmp_path / "m"))
    for name in ("tf", "onnx"):
        served = config(tmp_path, name)
        assert [served.input[0].name, served.output[0].name] == ["Images/x:0", "image-scores"]
    function = tf.saved_model.load(str(tmp_path / "models/tf/1/model.savedmodel")).signatures["serving_default"]
    assert set(function(**{"Images/x:0": tf.zeros((2, kinds.SIZE, kinds.SIZE, 3))})) == {"image-scores"}


def test_open_sizes_stay_open(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    made = built(kinds.recurrent(tmp_path / "m"))
    assert [one.signature.inputs[0].shape for one in made] == [(-1, 4)] * 2
    assert list(config(tmp_path, "onnx").input[0].dims) == [-1, 4]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (kinds.table, "ONNX has no tables, and the model has LookupTableFindV2"),
        (kinds.encoded_images, "ONNX has no operation for DecodeJpeg"),
    ],
)
def test_what_an_engine_cannot_convert_is_named_and_the_others_are_built(
    make: Callable[[Path], Path], reason: str, tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    with pytest.raises(BuildError, match=rf"variants\.onnx: {reason}; allowed: engine tensorflow \(built: tf\)"):
        built(make(tmp_path / "m"))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tf"]


def test_a_random_answer_is_refused(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    with pytest.raises(InvalidError, match=r"model\.source: its answer .*random.*; allowed: a mo"):
        built(kinds.random_answer(tmp_path / "m"), TENSORFLOW)


def test_int8_asks_for_the_range_of_pixels(tmp_path: Path) -> None:
    """Calibrated on 0 to 255 it would saturate on what clients send, and agree on every image."""
    int8 = {**ONNX, "precision": "int8"}
    source = kinds.scaled_classifier(tmp_path / "m")
    with_images: dict[str, Any] = {
        "model": {"name": "own", "source": str(source)},
        "calibration": {"images": "synthetic:1", "count": 4},
        "runtime": "python",
        "variants": [int8],
    }
    with pytest.raises(InvalidError, match=r"model\.input\.range: missing; allowed: \[0, 255\], \[0, 1\], \[-1, 1\]"):
        check(parse_plan(with_images))
    with_images["model"] = {"name": "own", "source": str(source), "input": {"range": [0, 1]}}
    check(parse_plan(with_images))


def test_int8_of_scaled_pixels_keeps_its_answers(tmp_path: Path, log: BuildLog) -> None:
    raw: dict[str, Any] = {
        "model": {
            "name": "own",
            "source": str(kinds.scaled_classifier(tmp_path / "m")),
            "input": {"range": [0, 1]},
        },
        "calibration": {"images": "synthetic:1", "count": 16},
        "agreement": {"count": 16},
        "runtime": "python",
        "variants": [{**ONNX, "precision": "int8", "agreement": {"min_top1": 0.9}}],
    }
    result = build(parse_plan(raw), tmp_path / "models", log)[0].manifest.agreement
    assert result.outputs["p"].largest < 0.99  # no class has all: the examples are not saturated
    assert result.max_abs_diff < 0.1


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (("model.h5",), r"model\.source: .* holds no saved_model\.pb, but model\.h5; allowed: that file itself"),
        (("frozen.pb",), r"holds no saved_model\.pb, but frozen\.pb; allowed: .*simple_save"),
        ((), r"holds no saved_model\.pb; allowed: a directory with saved_model\.pb"),
    ],
)
def test_what_is_no_savedmodel_gets_a_hint(layout: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in layout:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InvalidError, match=message):
        check(plan(tmp_path, TENSORFLOW))


def test_the_highest_version_and_the_file_itself_are_found(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    """As TensorFlow Serving lays models out: flowers/2/, flowers/10/."""
    kinds.fixed_batch(tmp_path / "flowers" / "2", 1)
    kinds.classifier(tmp_path / "flowers" / "10")
    assert built(tmp_path / "flowers", TENSORFLOW)[0].signature.batched
    check(plan(tmp_path / "flowers" / "2" / "saved_model.pb", TENSORFLOW))


def test_python_code_in_a_graph_is_refused_without_tensorflow(tmp_path: Path) -> None:
    folder = kinds.save(
        tmp_path / "m", lambda image: {"p": tf.numpy_function(lambda x: x, [image], tf.float32)}, kinds.IMAGES
    )
    with pytest.raises(InvalidError, match=r"model\.source: .* holds PyFunc; allowed: TensorFlow operations alone"):
        check(plan(folder, TENSORFLOW))


@pytest.mark.parametrize("dtype", [tf.complex64, tf.bfloat16], ids=lambda one: one.name)
def test_a_type_that_no_request_can_have_is_refused(dtype: Any, tmp_path: Path) -> None:
    spec = tf.TensorSpec((None, 4), dtype, name="x")
    folder = kinds.save(tmp_path / "m", lambda x: {"y": tf.cast(x, tf.float32)}, spec)
    with pytest.raises(InvalidError, match=rf"model\.source: input x is {dtype.name}; allowed: float16, float32"):
        check(plan(folder, TENSORFLOW))


def test_an_unknown_rank_asks_for_the_shape(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    spec = tf.TensorSpec(None, tf.float32, name="x")
    folder = kinds.save(tmp_path / "m", lambda x: {"y": x * 2}, spec)
    with pytest.raises(InvalidError, match=r"model\.inputs\.x\.shape: missing, .*; allowed: the whole shape of an"):
        check(plan(folder, TENSORFLOW))
    signature = built(folder, TENSORFLOW, inputs={"x": {"shape": [2, 3]}})[0].signature
    assert (signature.inputs[0].shape, signature.outputs[0].shape) == ((2, 3), (-1, -1))


def test_texts_ask_for_values(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    spec = tf.TensorSpec((None, 1), tf.string, name="text")
    folder = kinds.save(tmp_path / "m", lambda text: {"length": tf.strings.length(text)}, spec)
    with pytest.raises(InvalidError, match=r"model\.inputs\.text\.values: missing; allowed: texts to try"):
        check(plan(folder, TENSORFLOW))
    made = built(folder, TENSORFLOW, inputs={"text": {"values": ["one", {"b64": "/9j/4A=="}]}})
    assert made[0].agreement.outputs["length"].same == 1.0


def test_examples_come_from_a_file(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    arrays = tmp_path / "examples.npz"
    np.savez(arrays, user=np.array([1, 49, 7]), Weight=np.ones(3))
    made = built(kinds.two_numbers(tmp_path / "m"), TENSORFLOW, agreement={"arrays": str(arrays)})
    assert made[0].agreement.examples == 3
    np.savez(arrays, user=np.array([1, 50, 7]), Weight=np.ones(3))
    with pytest.raises(InvalidError, match=r"model\.source: it fails on .*; allowed: examples that it answers"):
        built(kinds.two_numbers(tmp_path / "n"), TENSORFLOW, agreement={"arrays": str(arrays)})
    np.savez(arrays, user=np.array([1]))
    with pytest.raises(InvalidError, match=r"agreement\.arrays: .*: arrays user; allowed: one for the input Weight"):
        check(plan(kinds.two_numbers(tmp_path / "o"), TENSORFLOW, agreement={"arrays": str(arrays)}))


def test_a_model_that_fails_on_zeros_is_warmed_up_with_its_examples(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    lines = tmp_path / "examples.jsonl"
    lines.write_text('{"text": "a film", "weight": 2}\n{"text": "caf\u00e9", "weight": -1}\n')
    variant = {**TENSORFLOW, "preferred_batch_sizes": [4]}
    built(kinds.particular(tmp_path / "m"), variant, agreement={"arrays": str(lines)})
    samples = config(tmp_path, "tf").model_warmup
    names = [[data.input_data_file for _, data in sorted(sample.inputs.items())] for sample in samples]
    contents = [[(tmp_path / "models" / "tf" / "warmup" / name).read_bytes() for name in two] for two in names]
    texts = [len(text).to_bytes(4, "little") + text for text in (b"a film", "caf\u00e9".encode())]
    assert contents == [[texts[0], np.float32(2).tobytes()], [texts[1], np.float32(-1).tobytes()]]


@pytest.mark.parametrize("make", [kinds.two_numbers, kinds.encoded_images, kinds.odd_names, kinds.recurrent])
def test_init_writes_a_plan_that_builds(
    make: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "TF_CPP_MIN_LOG_LEVEL", "3")
    assert main(["init", str(make(tmp_path / "flowers" / "1"))]) == 0
    written = tmp_path / "plan.yaml"
    written.write_text(capsys.readouterr().out)
    assert main(["validate", str(written)]) == 0
    assert main(["build", str(written), f"--output={tmp_path / 'models'}", "--only=original", "--quiet"]) == 0
    assert (tmp_path / "models" / "original" / "1" / "model.savedmodel").is_dir()


FILES = {**ONNX, "name": "files", "encoded_images": True}


def test_a_variant_of_files_has_the_artefact_of_the_one_of_pixels(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    pixels, files = built(kinds.scaled_classifier(tmp_path / "m"), ONNX, FILES, input={"range": [0, 1]})
    assert files.artefact == pixels.artefact
    described = config(tmp_path, "files").parameters["encoded_image.image"].string_value
    assert described == '{"shape": [16, 16, 3], "dtype": "float32", "range": [0.0, 1.0]}'


@pytest.mark.parametrize(
    ("make", "taken"),
    [
        (kinds.two_numbers, "true, and the model takes Weight float32 [], user int64 []"),
        (lambda folder: kinds.fixed_batch(folder, 1), "true, and the model takes image float32 [1, 16, 16, 3] without"),
        (lambda folder: kinds.classifier(folder, OPEN_IMAGES), "true, and the model takes image float32 [-1, -1, 3]"),
    ],
)
def test_files_for_a_model_of_anything_else_are_refused_before_any_work(
    make: Callable[[Path], Path], taken: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError) as refused:
        check(plan(make(tmp_path / "m"), FILES))
    assert str(refused.value).startswith(f"variants.files.encoded_images: {taken}")
    assert str(refused.value).endswith("one image [batch, height, width, channels] of known size")


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [
        TENSORFLOW,
        ONNX,
        {"name": "ov", "engine": "openvino", "max_batch_size": 8},
        {**ONNX, "name": "dynamic", "precision": "int8", "options": {"quantisation": "dynamic"}},
        {**ONNX, "name": "static", "precision": "int8"},
        {**ONNX, "name": "percentile", "precision": "int8", "options": {"calibration_method": "percentile"}},
        {"name": "ov_int8", "engine": "openvino", "precision": "int8", "max_batch_size": 8},
    ],
    ids=lambda one: str(one["name"]),
)
def test_look_ups_in_tables_of_numbers_are_built_by_every_engine(
    variant: dict[str, Any], tmp_path: Path, log: BuildLog
) -> None:
    random = np.random.default_rng(4)
    real = tmp_path / "rows.npz"
    inputs = {"user": random.integers(0, 1000, 24), "items": random.integers(0, 500, (24, 5))}
    np.savez(real, features=random.normal(size=(24, 4)), **inputs)
    raw = {
        "model": {"name": "own", "source": str(kinds.tabular(tmp_path / "m"))},
        "calibration": {"arrays": str(real), "count": 16},
        "agreement": {"arrays": str(real), "count": 8},
        "runtime": "python",
        "variants": [variant],
    }
    made = build(parse_plan(raw), tmp_path / "models", log)[0].manifest
    assert made.signature.batched
    assert made.agreement.max_abs_diff < (0.1 if made.precision == "int8" else 1e-5)


def test_a_sparse_input_of_tensorflow_1_is_taken_as_its_three_tensors(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    places = np.array([[[0, 1], [1, 3]], [[0, 0], [1, 9]]])
    np.savez(
        tmp_path / "examples.npz",
        words_indices=places,
        words_values=np.array([[1, 2], [3, 4]], np.float32),
        words_dense_shape=np.array([[2, 10], [2, 10]]),
        bias=np.ones((2, 2, 3), np.float32),
    )
    sizes = {"words_indices": [2, 2], "words_values": [2], "words_dense_shape": [2], "bias": [2, 3]}
    inputs = {name: {"shape": size} if name != "words_dense_shape" else {} for name, size in sizes.items()}
    for name in ("words_indices", "words_dense_shape"):
        inputs[name]["range"] = [0, 10]
    agreement = {"count": 2, "arrays": str(tmp_path / "examples.npz")}
    made = built(kinds.sparse(tmp_path / "export"), agreement=agreement, inputs=inputs)
    assert [one.agreement.max_abs_diff for one in made] == [0, 0]
    assert {tensor.name for tensor in config(tmp_path, "tf").input} == set(inputs)
    assert config(tmp_path, "tf").max_batch_size == 0


def test_a_savedmodel_with_a_table_is_served_as_it_is(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    """An export of it would lose what fills the table for OpenVINO."""
    source = kinds.table(tmp_path / "m")
    built(source, TENSORFLOW)
    (served,) = (tmp_path / "models" / "tf").rglob("saved_model.pb")
    assert served.read_bytes() == (source / "saved_model.pb").read_bytes()


INT8 = {"name": "int8", "engine": "onnxruntime", "precision": "int8", "max_batch_size": 8}


def test_a_place_that_is_none_is_none_in_onnx_too(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    """ONNX counts negative numbers from the end: -1 would be the last place."""
    source = kinds.one_hot(tmp_path / "m")
    made = built(source, ONNX, agreement={"count": 16}, inputs={"ids": {"range": [-3, 6]}})[0]
    assert {name: (one.same, one.max_abs_diff) for name, one in made.agreement.outputs.items()} == {
        "y": (1.0, 0.0),
        "inside": (1.0, 0.0),
    }


@pytest.mark.slow
def test_look_ups_before_a_loop_are_built_in_int8(tmp_path: Path, built: Callable[..., list[Manifest]]) -> None:
    """ONNX Runtime ended the process that loaded it, and would have ended the server's."""
    made = built(kinds.masked_recurrent(tmp_path / "m"), INT8, inputs={"tokens": {"range": [0, 19]}})[0]
    assert made.agreement.max_abs_diff < 0.05


def test_an_answer_that_is_drawn_is_refused_however_little_it_changes(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    with pytest.raises(InvalidError, match="its answer to the same input is random: output y differs between two runs"):
        built(kinds.drawn_by_little(tmp_path / "m"), TENSORFLOW)


def test_int8_of_a_graph_that_is_wrong_in_fp32_is_not_built(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    with pytest.raises(
        BuildError, match=r"variants\.int8: its graph in fp32 gives another answer than the source: out"
    ):
        built(kinds.resized_by_area(tmp_path / "m"), TENSORFLOW, {**INT8, "options": {"quantisation": "dynamic"}})
    assert config(tmp_path, "tf").name == "tf"


@pytest.mark.slow
def test_a_variant_whose_rounding_depends_on_its_batch_does_not_keep_others_from_being_built(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    with pytest.raises(BuildError, match=r"output y \(uint8\) of an example is another in a batch of 3; allowed: fp32"):
        built(kinds.rounded_to_bytes(tmp_path / "m"), ONNX, INT8)
    assert config(tmp_path, "onnx").name == "onnx"


def test_what_tf2onnx_fails_on_is_named_in_place_of_its_own_words(
    tmp_path: Path, built: Callable[..., list[Manifest]]
) -> None:
    message = (
        r"variants\.onnx: tf2onnx can't convert ExtractImagePatches; allowed: engine tensorflow \(built: no other\)"
    )
    with pytest.raises(BuildError, match=f"^{message}$"):
        built(kinds.patches(tmp_path / "m"), ONNX)
