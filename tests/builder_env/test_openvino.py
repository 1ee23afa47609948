"""The engine openvino: the source's answers in FP32, INT8 by NNCF, BF16 where the CPU has it, refusals in one line."""

import importlib.util
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import savedmodel_kinds as kinds
import tensorflow as tf

from model_repo_builder.build.directory import build
from model_repo_builder.errors import BuildError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.repository.manifest import Manifest

OPENVINO = {"name": "ov", "engine": "openvino", "max_batch_size": 8}


@pytest.fixture
def built(tmp_path: Path, log: BuildLog) -> Callable[..., Manifest]:
    """Build one variant of a SavedModel and give its manifest."""

    def run(source: Path, variant: dict[str, Any] | None = None, **sections: Any) -> Manifest:
        raw = {
            "model": {"name": "own", "source": str(source), **sections.pop("model", {})},
            "agreement": {"count": 4},
            "runtime": "python",
            "variants": [{**OPENVINO, **(variant or {})}],
            **sections,
        }
        return build(parse_plan(raw), tmp_path / "models", log)[0].manifest

    return run


def test_sizes_that_the_graph_knows_are_those_of_the_configuration(
    tmp_path: Path, built: Callable[..., Manifest]
) -> None:
    """Triton's own backend refuses -1 for a size of an output that is fixed in the graph."""

    def serve(image: Any) -> dict[str, Any]:
        return {"p": tf.compat.v1.placeholder_with_default(kinds.probabilities(image), (None, None))}

    source = kinds.save(tmp_path / "m", serve, kinds.IMAGES)
    for variant, shape in ((OPENVINO, (5,)), ({**OPENVINO, "name": "tf", "engine": "tensorflow"}, (-1,))):
        assert built(source, variant).signature.outputs[0].shape == shape


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        kinds.classifier,
        kinds.official_resnet,
        kinds.two_numbers,
        kinds.recurrent,
        kinds.exact_gelu,
        kinds.odd_names,
        kinds.table,
        lambda folder: kinds.fixed_batch(folder, 1),
        lambda folder: kinds.many_types(folder, tf.uint8),
        lambda folder: kinds.many_types(folder, tf.int64),
        lambda folder: kinds.many_types(folder, tf.bool),
    ],
)
def test_it_answers_as_the_source(make: Callable[[Path], Path], tmp_path: Path, built: Callable[..., Manifest]) -> None:
    for result in built(make(tmp_path / "m")).agreement.outputs.values():
        assert result.same == 1.0
        assert result.max_abs_diff <= 1e-5 * max(result.largest, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (kinds.texts_out, "OpenVINO has no texts, and label is string; allowed: engine tensorflow or onnxruntime"),
        (kinds.branches, "variants.ov: OpenVINO can't convert it: "),
        (lambda folder: kinds.many_types(folder, tf.float64), "OpenVINO computes float64 in float32, and x is float64"),
    ],
)
def test_what_it_would_change_or_can_not_do_is_refused(
    make: Callable[[Path], Path], message: str, tmp_path: Path, built: Callable[..., Manifest]
) -> None:
    with pytest.raises(BuildError, match=message):
        built(make(tmp_path / "m"))


@pytest.mark.slow
@pytest.mark.parametrize("weight_range", ["7bit", "8bit"])
def test_int8_is_calibrated_on_the_images_of_the_plan(
    weight_range: str, tmp_path: Path, built: Callable[..., Manifest]
) -> None:
    made = built(
        kinds.classifier(tmp_path / "m"),
        {"precision": "int8", "options": {"weight_range": weight_range}},
        model={"input": {"range": [0, 255]}},
        calibration={"images": "synthetic:1", "count": 8},
    )
    assert made.notes == {"weight_range": weight_range}
    assert "FakeQuantize" in layers(tmp_path)
    assert made.agreement.max_abs_diff < 0.1


@pytest.mark.slow
def test_requests_of_a_model_without_a_batch_calibrate_it(tmp_path: Path, built: Callable[..., Manifest]) -> None:
    arrays = tmp_path / "real.npz"
    np.savez(arrays, image=np.random.default_rng(0).uniform(0, 255, (6, 1, kinds.SIZE, kinds.SIZE, 3)))
    made = built(
        kinds.fixed_batch(tmp_path / "m", 1),
        {"precision": "int8"},
        calibration={"arrays": str(arrays), "count": 4},
    )
    assert not made.signature.batched
    assert made.agreement.max_abs_diff < 0.1


def test_a_graph_for_bf16_says_so_itself(tmp_path: Path, built: Callable[..., Manifest]) -> None:
    made = built(kinds.classifier(tmp_path / "m"), {"precision": "bf16"})
    assert made.precision == "bf16"
    stored = ElementTree.parse(tmp_path / "models" / "ov" / "1" / "model.xml")
    assert [one.get("value") for one in stored.iter("precision")] == ["bf16"]


@pytest.mark.parametrize("missing", ["openvino", "nncf"])
def test_a_package_that_is_not_installed_is_named_before_any_work(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Callable[..., Manifest]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(BuildError) as refused:
        built(kinds.classifier(tmp_path / "m"))
    allowed = "pip install 'tensorflow-inference-system[builder]'"
    assert str(refused.value) == f"variants.ov.engine: openvino ({missing} not installed); allowed: {allowed}"


def layers(folder: Path) -> set[str]:
    """The types of the layers of what was built."""
    stored = ElementTree.parse(folder / "models" / "ov" / "1" / "model.xml")
    return {layer.get("type", "") for layer in stored.iter("layer")}
