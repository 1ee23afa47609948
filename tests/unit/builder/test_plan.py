"""Every plan that cannot be built is refused by one line: the field, its value, what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import load_plan, parse_plan

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))

REFUSED = [
    (("model", "colour"), "red", "model.colour: unknown key; allowed: name, source"),
    (("model", "name"), "a b", "model.name: a b; allowed: letters, digits"),
    (("model", "source"), "", "model.source: ; allowed: text that is not empty"),
    (("model", "weights"), "noisy", "model.weights: noisy; allowed: imagenet, random:SEED"),
    (("model", "weights"), None, "model.weights: missing for a keras: source; allowed: imagenet, random:SEED"),
    (("model", "source"), "my/savedmodel", "model.weights: random:42; allowed: no weights for a SavedModel"),
    (("model", "preprocessing"), "resnet", "model.preprocessing: resnet; allowed: none, caffe, tf, torch"),
    (("model", "input", "size"), [32], "model.input.size.1: missing; allowed: a value, it is required"),
    (("model", "input", "size"), [1, 2, 3], "model.input.size: [1, 2, 3]; allowed: at most 2 items"),
    (("model", "input", "size"), [32, 0], "model.input.size.1: 0; allowed: at least 1"),
    (("model", "input", "dtype"), "int4", "model.input.dtype: int4; allowed: float32, uint8"),
    (("runtime",), "cuda", "runtime: cuda; allowed: ngc, python"),
    (("variants",), [], "variants: []; allowed: at least 1 item"),
    (("variants",), "fast", "variants: fast; allowed: a list"),
    (("colour",), "red", "colour: unknown key; allowed: model, examples, calibration"),
    (("calibration",), {"count": 0}, "calibration.count: 0; allowed: at least 1"),
    (("agreement",), {"number": 3}, "agreement.number: unknown key; allowed: images, sequences, arrays, source, count"),
    (("defaults",), {"colour": 3}, "defaults.colour: unknown key; allowed: engine, precision"),
    (("variants", 1, "name"), "original", "variants: original twice; allowed: each name once"),
    (("variants", 1, "name"), "../up", "variants.../up.name: ../up; allowed: letters, digits"),
    (("variants", 1, "presicion"), "int8", "variants.fast.presicion: unknown key; allowed: name, engine"),
    (
        ("variants", 1, "engine"),
        "onnx",
        "variants.fast.engine: onnx; allowed: onnxruntime, openvino, tensorflow, tensorrt",
    ),
    (("variants", 1, "precision"), "fp8", "variants.fast.precision: fp8; allowed: fp32, bf16, fp16, int8"),
    (("variants", 1, "precision"), "fp16", "variants.fast.precision: fp16; allowed: fp32, int8 for engine onnxruntime"),
    (("variants", 1, "max_batch_size"), "many", "variants.fast.max_batch_size: many; allowed: a whole number"),
    (("variants", 1, "max_batch_size"), 0, "variants.fast.max_batch_size: 0; allowed: at least 1"),
    (("variants", 1, "preferred_batch_sizes"), [4, 32], "variants.fast.preferred_batch_sizes: 32; allowed: at most"),
    (("variants", 1, "instances"), 0, "variants.fast.instances: 0; allowed: at least 1"),
    (("variants", 1, "warm_up"), "perhaps", "variants.fast.warm_up: perhaps; allowed: true, false, all"),
    (("variants", 1, "max_queue_delay_us"), -1, "variants.fast.max_queue_delay_us: -1; allowed: at least 0"),
    (("variants", 1, "queue"), {"size": 3}, "variants.fast.queue.size: unknown key; allowed: max_size"),
    (("variants", 1, "agreement"), {"min_top1": 2}, "variants.fast.agreement.min_top1: 2; allowed: at most 1"),
    (("variants", 1, "options"), {"threads": 3}, "variants.fast.options.threads: unknown key; allowed: quantisation"),
    (("variants", 1, "options"), {"intra_op_threads": -3}, "variants.fast.options.intra_op_threads: -3; allowed: at"),
    (
        ("variants", 1, "options"),
        {"intra_op_threads": [1]},
        "variants.fast.options.intra_op_threads: [1]; allowed: true or false, a whole number, a number, text",
    ),
    (
        ("model",),
        {"name": "own", "source": "m", "inputs": {"x[0]": {"rang": [0, 1]}}},
        "model.inputs.x[0].rang: unknown key; allowed: shape, range, values",
    ),
    (
        ("model",),
        {"name": "own", "source": "m", "inputs": {"x": {"range": [0, float("inf")]}}},
        "model.inputs.x.range.1: inf; allowed: a finite number",
    ),
    (
        ("model",),
        {"name": "own", "source": "m", "input": {"range": [-1e308, 1e308]}},
        "model.input.range: [-1e+308, 1e+308]; allowed: [LEAST, LARGEST], such as",
    ),
    (("calibration",), {}, "calibration.images: missing; allowed: a directory of images or synthetic:SEED, as fast is"),
    (("compute_capability",), "T4", "compute_capability: T4; allowed: MAJOR.MINOR, such as '7.5' for a T4"),
    (("variants", 1), {"name": "fast", "engine": "tftrt"}, "variants.fast.device: cpu; allowed: gpu for engine tftrt"),
    (("variants", 1), {"engine": "tensorflow"}, "variants.1.name: missing; allowed: a value, it is required"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED, ids=[case[2] for case in REFUSED])
def test_a_wrong_value_is_named_with_what_is_allowed(
    changed: Callable[..., dict[str, Any]], path: tuple[str | int, ...], value: object, message: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_plan(changed(*path, value=value))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_backend_that_can_not_batch_is_given_one_request_at_a_time(changed: Callable[..., dict[str, Any]]) -> None:
    raw = changed("variants", 1, value={"name": "fast", "engine": "openvino"})
    parse_plan(raw, runtime="python")
    with pytest.raises(InvalidError) as refused:
        parse_plan(raw, runtime="ngc")
    message = "variants.fast.max_batch_size: 64; allowed: at most 1 for engine openvino under runtime ngc"
    assert str(refused.value) == message
    parse_plan(changed("variants", 1, "max_batch_size", value=1), runtime="ngc")


def test_encoded_images_are_decoded_by_the_python_runtime_alone(changed: Callable[..., dict[str, Any]]) -> None:
    raw = changed("variants", 1, "encoded_images", value=True)
    parse_plan(raw)
    with pytest.raises(
        InvalidError, match=r"variants\.fast\.encoded_images: true under runtime ngc; allowed: false, or"
    ):
        parse_plan(raw, runtime="ngc")


@pytest.mark.parametrize(("section", "key"), [("model", "name"), ("model", "source")])
def test_a_missing_key_is_named(raw: dict[str, Any], section: str, key: str) -> None:
    del raw[section][key]
    with pytest.raises(InvalidError, match=rf"{section}\.{key}: missing; allowed: a value"):
        parse_plan(raw)


@pytest.mark.parametrize("text", ["", "- a list", "just text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError, match="allowed: a mapping"):
        load_plan(path)


@pytest.mark.parametrize("text", ["model: [", "model: {name: 2026-02-30}"])
def test_a_file_that_is_no_yaml_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError, match=r"PLAN: .*; allowed: a YAML file") as refused:
        load_plan(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"PLAN: .*absent\.yaml \(No such file or directory\)"):
        load_plan(tmp_path / "absent.yaml")


def test_defaults_fill_in_what_a_variant_leaves_out(raw: dict[str, Any]) -> None:
    raw["defaults"] = {"max_batch_size": 8, "instances": 2}
    original, fast = parse_plan(raw).variants
    assert (original.max_batch_size, original.instances) == (8, 2)
    assert (fast.max_batch_size, fast.instances) == (16, 2)


def test_paths_are_relative_to_the_plan(tmp_path: Path, raw: dict[str, Any]) -> None:
    raw["model"] = {"name": "own", "source": "model"}
    raw["calibration"] = {"images": "photos"}
    parsed = parse_plan(raw, folder=tmp_path)
    assert parsed.model.source == str(tmp_path / "model")
    assert parsed.calibration.images == str(tmp_path / "photos")


def test_the_runtime_can_be_replaced(raw: dict[str, Any]) -> None:
    assert parse_plan(raw, runtime="ngc").runtime == "ngc"


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_the_plans_of_this_repository_are_valid(path: Path) -> None:
    assert load_plan(path).variants[0].name == "original"


def test_the_t4_plan_holds_the_published_ladder() -> None:
    path = next(path for path in PLANS if path.name == "resnet50-t4.yaml")
    ladder = {v.name: (v.precision, v.max_batch_size, v.instances) for v in load_plan(path).variants}
    for found_since in ("tftrt_int8_tuned", "tensorrt_fp16", "tensorrt_int8"):
        ladder.pop(found_since)
    assert ladder == {
        "original": ("fp32", 64, 1),
        "tftrt_fp32": ("fp32", 64, 1),
        "tftrt_fp16": ("fp16", 64, 1),
        "tftrt_int8": ("int8", 64, 1),
        "tftrt_int8_bs16_count4": ("int8", 16, 4),
    }
