"""Language models: published architectures without a download, built in CPU variants; what can't be had is named."""

import gzip
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from PIL import Image
from rich.console import Console
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.build.directory import build
from model_repo_builder.cli import main
from model_repo_builder.engines import onnx_weights
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.plan.file import load_plan, parse_plan
from model_repo_builder.plan.model import Model
from model_repo_builder.report import BuildLog
from model_repo_builder.sources import huggingface as huggingface_source
from model_repo_builder.sources import specification
from model_repo_builder.speed_test.results import SpeedTest
from triton_contract.input_values import Values, declared

pytestmark = pytest.mark.slow

PLANS = Path(__file__).parents[2] / "plans"


@pytest.fixture
def raw() -> dict[str, Any]:
    """plans/tiny-bert.yaml, to change."""
    parsed: dict[str, Any] = yaml.safe_load((PLANS / "tiny-bert.yaml").read_text())
    return parsed


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/tiny-bert.yaml, built."""
    folder = tmp_path_factory.mktemp("language") / "models"
    build(load_plan(PLANS / "tiny-bert.yaml"), folder, BuildLog(Console(), quiet=True))
    return folder


def test_the_published_architectures_are_those_of_the_papers() -> None:
    import transformers

    bert, distilbert = transformers.BertConfig(), transformers.DistilBertConfig()
    assert (bert.num_hidden_layers, bert.hidden_size, bert.num_attention_heads) == (12, 768, 12)
    assert (bert.intermediate_size, bert.max_position_embeddings, bert.hidden_act) == (3072, 512, "gelu")
    assert (distilbert.n_layers, distilbert.dim, distilbert.n_heads, distilbert.hidden_dim) == (6, 768, 12, 3072)
    assert bert.vocab_size == distilbert.vocab_size == huggingface_source.VOCABULARY


def test_every_variant_agrees_with_the_source(models: Path) -> None:
    made = {path.name: json.loads((path / "1" / "manifest.json").read_text()) for path in models.iterdir()}
    assert made["onnx_fp32"]["agreement"]["top1"] == 1.0
    for name, least in (("onnx_int8", 0.5), ("onnx_int8_128", 0.5)):
        assert made[name]["agreement"]["top1"] >= least
        assert (made[name]["agreement"]["examples"], made[name]["agreement"]["sample_kind"]) == (32, "sequences")
        assert (made[name]["calibration"], made[name]["notes"]["quantisation"]) == (None, "dynamic")
    assert made["original"]["weights"] == "random:42" and not made["original"]["pretrained"]


@pytest.mark.parametrize(("name", "length"), [("original", 64), ("onnx_int8_128", 128)])
def test_a_configuration_has_its_length_and_says_which_values_are_tokens(models: Path, name: str, length: int) -> None:
    config = text_format.Parse((models / name / "config.pbtxt").read_text(), pb.ModelConfig())
    assert [tensor.name for tensor in config.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {tuple(tensor.dims) for tensor in config.input} == {(length,)}
    assert [tensor.name for tensor in config.output] == ["start_logits", "end_logits"]
    assert declared(config)["input_ids"] == Values(0, 999)
    assert declared(config)["attention_mask"] == Values(1, 1)


def test_distilbert_takes_no_token_types(raw: dict[str, Any], tmp_path: Path) -> None:
    small = {"n_layers": 1, "dim": 32, "n_heads": 2, "hidden_dim": 64, "vocab_size": 1000}
    raw["model"] |= {"source": "huggingface:distilbert-base-uncased", "arguments": small}
    raw["variants"] = raw["variants"][:2]
    rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    assert [tensor.name for tensor in rows[1].manifest.signature.inputs] == ["input_ids", "attention_mask"]
    assert rows[1].manifest.agreement.top1 == 1.0


def test_large_weights_come_back_as_they_were(
    raw: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    monkeypatch.setattr(onnx_weights, "LARGE", 500)
    raw["variants"] = raw["variants"][1:3]
    rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    graph = onnx.load(tmp_path / "models" / "onnx_fp32" / "1" / "model.onnx").graph
    assert {value.name for value in graph.input} == {"input_ids", "attention_mask", "token_type_ids"}
    assert [row.manifest.agreement.top1 > 0.5 for row in rows] == [True, True]
    assert rows[0].manifest.agreement.max_abs_diff < 1e-5


def test_clients_may_send_int64(raw: dict[str, Any], tmp_path: Path) -> None:
    raw["variants"] = [{"name": "wide", "engine": "onnxruntime", "input_dtype": "int64", "agreement": {"min_top1": 1}}]
    rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    assert {tensor.dtype for tensor in rows[0].manifest.signature.inputs} == {"int64"}


def test_static_quantisation_takes_its_ranges_from_real_sequences(raw: dict[str, Any], tmp_path: Path) -> None:
    """Shorter ones are padded, longer ones cut: the model takes 64 tokens."""
    lines = []
    for length in (9, 30, 64, 80, 12, 40):
        ids = np.random.default_rng(length).integers(103, 1000, length).tolist()
        lines.append({"input_ids": ids, "attention_mask": [1] * length, "token_type_ids": [0] * length})
    (tmp_path / "tokens.jsonl").write_text("\n".join(map(json.dumps, lines)))
    raw |= {"examples": str(tmp_path / "tokens.jsonl"), "calibration": {"count": 4}, "agreement": {"count": 2}}
    raw["variants"] = [{"name": "static", "engine": "onnxruntime", "precision": "int8"}]
    rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    made = rows[0].manifest
    assert made.calibration and made.calibration.startswith("4 arrays of ") and made.agreement.examples == 2
    assert made.notes["quantisation"] == "static"
    sample = gzip.decompress((tmp_path / "models" / "static" / "1" / "examples.jsonl.gz").read_bytes()).splitlines()
    assert [sum(json.loads(line)["attention_mask"]) for line in sample] == [12, 40]


def _answers(model: Model, ids: Any) -> Any:
    network = huggingface_source.load(model).network
    return network({"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0})["start_logits"].numpy()


def test_random_weights_are_the_same_for_the_same_seed(raw: dict[str, Any]) -> None:
    model, ids = parse_plan(raw).model, np.arange(128).reshape(2, 64)
    assert np.array_equal(_answers(model, ids), _answers(model, ids))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as transformers saves it after training."""
    import transformers

    small = transformers.BertConfig(
        num_hidden_layers=1, hidden_size=32, num_attention_heads=2, intermediate_size=64, vocab_size=500
    )
    network = transformers.TFBertForQuestionAnswering(small)
    network({"input_ids": np.ones((1, 8), np.int32)})
    folder = tmp_path_factory.mktemp("trained")
    network.save_pretrained(folder)
    return folder


def test_a_directory_gives_its_own_weights(raw: dict[str, Any], trained: Path) -> None:
    import transformers

    raw["model"] = {"name": "own", "source": f"huggingface:{trained}", "weights": "pretrained"}
    model, ids = parse_plan(raw).model, np.arange(64).reshape(2, 32)
    specification.check(model)
    loaded = huggingface_source.load(model)
    assert (loaded.weights, loaded.pretrained) == ("pretrained", True)
    expected = transformers.TFBertForQuestionAnswering.from_pretrained(trained)(ids).start_logits
    assert np.allclose(_answers(model, ids), expected, atol=1e-6)


def test_a_head_that_was_not_trained_is_said_to_be_random(raw: dict[str, Any], tmp_path: Path) -> None:
    import transformers

    small = transformers.BertConfig(
        num_hidden_layers=1, hidden_size=32, num_attention_heads=2, intermediate_size=64, vocab_size=500
    )
    network = transformers.TFBertModel(small)
    network({"input_ids": np.ones((1, 8), np.int32)})
    network.save_pretrained(tmp_path)
    raw["model"] = {"name": "own", "source": f"huggingface:{tmp_path}", "weights": "pretrained"}
    loaded = huggingface_source.load(parse_plan(raw).model)
    assert (loaded.weights, loaded.pretrained) == ("pretrained (qa_outputs random)", False)


def no_network(*_: Any, **__: Any) -> None:
    raise OSError("We couldn't connect to 'https://huggingface.co'")


def test_weights_that_cannot_be_downloaded_stop_the_build(raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_source, "_pretrained", no_network)
    raw["model"]["weights"] = "pretrained"
    with pytest.raises(BuildError, match=r"model\.weights: pretrained \(We couldn't connect.*; allowed: a working"):
        huggingface_source.load(parse_plan(raw).model)
    raw["model"]["fallback_weights"] = "random:1"
    loaded = huggingface_source.load(parse_plan(raw).model)
    assert (loaded.weights, loaded.pretrained) == ("random:1 (pretrained could not be downloaded)", False)


def test_a_directory_without_weights_is_no_failed_download(raw: dict[str, Any], tmp_path: Path) -> None:
    """`fallback_weights` is for the network: a directory that can't be read is the user's to mend."""
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    raw["model"] = {"name": "own", "source": f"huggingface:{tmp_path}", "weights": "pretrained"}
    raw["model"]["fallback_weights"] = "random:1"
    with pytest.raises(BuildError, match=r"model\.source: huggingface:.* cannot be read \(Error no file named"):
        huggingface_source.load(parse_plan(raw).model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": 3}, r"model\.arguments\.layers: unknown key; allowed: fields of the model's configuration"),
        ({"hidden_size": 33, "num_attention_heads": 2}, r"model\.arguments: .*; allowed: what huggingface:bert-base"),
        ({"max_position_embeddings": 32}, r"model\.input\.sequence_length: 64; allowed: at most 32"),
        ({"vocab_size": 50}, r"model\.arguments\.vocab_size: 50; allowed: at least 200"),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused(
    raw: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    raw["model"]["arguments"] |= arguments
    with pytest.raises(InvalidError, match=message):
        huggingface_source.load(parse_plan(raw).model)


def version_without(package: str, version: str | None) -> Any:
    real = importlib.metadata.version

    def asked(name: str) -> str:
        if name != package:
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError
        return version

    return asked


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, r"\(transformers is not installed\); allowed: pip install 'tensorflow-inference-system\[language\]'"),
        ("5.1.0", r"\(transformers 5\.1\.0\); allowed: transformers 4, the last with TensorFlow classes"),
    ],
)
def test_a_transformers_that_does_not_fit_is_named_with_its_extra(
    raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch, version: str | None, message: str
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", version_without("transformers", version))
    with pytest.raises(InvalidError, match=message):
        specification.check(parse_plan(raw).model)


def test_the_speed_test_shows_sequences_and_guesses_nothing(models: Path, tmp_path: Path) -> None:
    quick = ["--repeats=1", "--seconds=0.01", "--batch=1,4", "--only=original,onnx_int8_128"]
    assert main(["speed-test", str(models), f"--output={tmp_path}", *quick]) == 0
    test = SpeedTest.model_validate_json((tmp_path / "speed-test.json").read_text())
    assert (test.sample_kind, test.images) == ("sequences", ())
    assert [len(variant.points) for variant in test.variants] == [2, 2]
    log = (tmp_path / "speed-test.log").read_text()
    assert "sequences a second" in log and "images" not in log and "top-5" not in log


def test_the_speed_test_shows_no_images_to_a_model_of_sequences(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    assert main(["speed-test", str(models), f"--output={tmp_path}", f"--image={picture}"]) == 2
    assert "red.png; allowed: nothing, as original takes sequences" in capsys.readouterr().err


def test_a_network_is_frozen_where_tensorflow_is_told_to_use_the_older_keras(tmp_path: Path) -> None:
    """Its generator hands random.randint a float, which newer Pythons refuse and older ones warn of."""
    program = (
        "import sys; from pathlib import Path; from model_repo_builder.plan.file import load_plan; "
        "from model_repo_builder.sources.freeze import freeze; "
        "model = load_plan(Path(sys.argv[1])).model; freeze(model, Path(sys.argv[2]), [model.form])"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error:non-integer:DeprecationWarning", "-c", program),
            *(str(PLANS / "tiny-bert.yaml"), str(tmp_path)),
        ],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-600:]
    assert any(tmp_path.rglob("saved_model.pb"))
