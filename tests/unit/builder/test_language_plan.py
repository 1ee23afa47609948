"""Plans of language models: what they may say, what follows from it, and what is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import load_plan, parse_plan
from model_repo_builder.repository import config_pbtxt, fingerprint
from model_repo_builder.signature import InputForm
from model_repo_builder.sources import specification
from triton_contract.input_values import Values, declared

PLANS = Path(__file__).parents[3] / "plans"


@pytest.fixture
def raw() -> dict[str, Any]:
    """plans/tiny-bert.yaml as YAML gives it."""
    parsed: dict[str, Any] = yaml.safe_load((PLANS / "tiny-bert.yaml").read_text())
    return parsed


REFUSED = [
    ({"weights": "imagenet"}, "model.weights: imagenet; allowed: pretrained, random:SEED for a huggingface: source"),
    ({"weights": None}, "model.weights: missing for a huggingface: source; allowed: pretrained, random:SEED"),
    ({"preprocessing": "tf"}, "model.preprocessing: tf; allowed: nothing for a huggingface: source"),
    ({"labels": "imagenet"}, "model.labels: imagenet; allowed: nothing for a huggingface: source"),
    ({"input": {"size": [32, 32]}}, "model.input.size: set; allowed: nothing, as the model takes sequences"),
    ({"input": {"dtype": "uint8"}}, "model.input.dtype: uint8; allowed: int32, int64, as the model takes sequences"),
    ({"input": {"sequence_length": 8}}, "model.input.sequence_length: 8; allowed: at least 16"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_wrong_value_of_the_model_is_named(raw: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    raw["model"] |= changes
    with pytest.raises(InvalidError) as refused:
        parse_plan(raw)
    assert str(refused.value).startswith(message)


def test_images_for_a_model_of_sequences_are_refused(raw: dict[str, Any]) -> None:
    raw["agreement"] = {"images": "synthetic:1"}
    with pytest.raises(InvalidError, match=r"agreement\.images: synthetic:1; allowed: sequences, which"):
        parse_plan(raw)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [({}, "examples: missing"), ({"sequences": "synthetic:1"}, "calibration.sequences: synthetic:1")],
)
def test_static_quantisation_needs_real_examples(raw: dict[str, Any], calibration: dict[str, str], said: str) -> None:
    raw["calibration"] = calibration
    raw["variants"][2]["options"] = {"quantisation": "static"}
    with pytest.raises(InvalidError) as refused:
        parse_plan(raw)
    allowed = "allowed: a file with real examples, or options.quantisation: dynamic, as onnx"
    assert str(refused.value).startswith(f"{said}; {allowed}")


def test_quantisation_is_dynamic_unless_examples_are_real(raw: dict[str, Any], tmp_path: Path) -> None:
    def chosen(**more: Any) -> str:
        raw["variants"][2]["options"], raw["agreement"] = {}, {}
        return str(parse_plan({**raw, **more}, tmp_path).variants[2].options["quantisation"])

    assert chosen() == chosen(examples="synthetic:3") == "dynamic"
    assert chosen(examples="tokens.jsonl") == chosen(calibration={"source": "tokens.npz"}) == "static"


def test_a_variant_of_images_has_no_sequence_length(raw: dict[str, Any]) -> None:
    images: dict[str, Any] = yaml.safe_load((PLANS / "tiny.yaml").read_text())
    images["variants"][0]["sequence_length"] = 64
    with pytest.raises(InvalidError, match=r"variants\.original\.sequence_length: set; allowed: nothing, as tiny"):
        parse_plan(images)
    images["variants"][0] = {"name": "original", "engine": "tensorflow", "input_dtype": "int32"}
    with pytest.raises(InvalidError, match=r"variants\.original\.input_dtype: int32; allowed: float32, uint8"):
        parse_plan(images)


def test_the_length_is_the_published_one_unless_the_plan_says_another(raw: dict[str, Any]) -> None:
    del raw["model"]["input"]
    parsed = parse_plan(raw)
    forms = [parsed.form(variant) for variant in parsed.variants]
    assert forms == [InputForm("int32", 384)] * 3 + [InputForm("int32", 128)]


def test_another_length_is_another_artefact(raw: dict[str, Any]) -> None:
    parsed = parse_plan(raw)
    prints = [fingerprint.artefact(parsed, variant, "source") for variant in parsed.variants[2:]]
    assert prints[0] != prints[1]


def test_a_saved_model_lies_beside_the_plan(tmp_path: Path, raw: dict[str, Any]) -> None:
    raw["model"] = {"name": "own", "source": "huggingface:../trained", "weights": "pretrained"}
    parsed = parse_plan(raw, folder=tmp_path / "plans")
    assert parsed.model.source == f"huggingface:{tmp_path / 'trained'}"


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("bert-base-cpu", ["input_ids", "attention_mask", "token_type_ids"]),
        ("distilbert-cpu", ["input_ids", "attention_mask"]),
    ],
)
def test_a_configuration_needs_no_build(name: str, inputs: list[str]) -> None:
    parsed = load_plan(PLANS / f"{name}.yaml")
    signature = specification.signature(parsed.model)
    assert signature is not None
    message = config_pbtxt.model_config(parsed.variants[0], signature, "ngc")
    assert [(tensor.name, list(tensor.dims)) for tensor in message.input] == [(tensor, [384]) for tensor in inputs]
    assert declared(message)["input_ids"] == Values(0, 30521)
    assert all(sample.inputs["input_ids"].zero_data for sample in message.model_warmup)


@pytest.mark.parametrize("name", ["bert-base-cpu", "distilbert-cpu"])
def test_the_sweep_goes_from_64_to_384_tokens(name: str) -> None:
    parsed = load_plan(PLANS / f"{name}.yaml")
    lengths = {parsed.form(variant).length for variant in parsed.variants if variant.precision == "int8"}
    assert lengths == {64, 128, 256, 384}
