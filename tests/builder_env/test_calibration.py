"""Calibration by histograms: the ranges of all examples at once, in the memory of one."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, calibrate

from model_repo_builder.engines import onnx_calibration, onnx_int8
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples.kinds import Examples, batches

SIZE = 128
METHODS = {"percentile": CalibrationMethod.Percentile, "entropy": CalibrationMethod.Entropy}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two convolutions with a ReLU between them: an example leaves 2 MB of activations."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=shape).astype(np.float32) for shape in ((16, 3, 3, 3), (16, 16, 3, 3))]
    padding = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["a"], **padding),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"], **padding),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("p", onnx.TensorProto.FLOAT, ["batch", 16, 1, 1])],
        [numpy_helper.from_array(one, f"w{number}") for number, one in enumerate(weights)],
    )
    path = tmp_path / "model.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(made), str(path))
    return path


def examples(count: int) -> Examples:
    """Images whose brightness grows, so that no example alone knows the range."""
    random = np.random.default_rng(1)
    images = [random.normal(size=(3, SIZE, SIZE)) * (1 + index) for index in range(count)]
    return {"image": np.stack(images).astype(np.float32)}


def ranges(model: Path, samples: Examples, method: str, target: Path) -> dict[str, tuple[float, float]]:
    types = ["Conv", "Relu", "GlobalAveragePool"]
    onnx_calibration.write_ranges(model, lambda: batches(samples, 1), METHODS[method], types, target)
    return {name: _range(one) for name, one in calibrate.load_tensors_data(target).items()}


def _range(data: Any) -> tuple[float, float]:
    return float(data.lowest), float(data.highest)


@pytest.mark.parametrize("method", METHODS)
def test_the_ranges_are_those_of_all_examples_at_once(method: str, model: Path, tmp_path: Path) -> None:
    samples = examples(4)
    calibrator = calibrate.create_calibrator(
        model,
        ["Conv", "Relu", "GlobalAveragePool"],
        augmented_model_path=str(tmp_path / "augmented.onnx"),
        calibrate_method=METHODS[method],
    )
    calibrator.collect_data(onnx_int8._reader(lambda: batches(samples, 1)))
    at_once = {name: _range(one) for name, one in calibrator.compute_data().items()}
    assert ranges(model, samples, method, tmp_path / "ranges.json") == at_once


def test_forty_examples_need_the_memory_of_four(model: Path, tmp_path: Path) -> None:
    few, many = examples(4), examples(40)

    def peak(samples: Examples) -> int:
        tracemalloc.start()
        ranges(model, samples, "percentile", tmp_path / "ranges.json")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # What is imported and cached at first use is no part of it.
    peak(few)
    assert peak(many) < 1.2 * peak(few)


def test_texts_on_the_command_s_own_output_are_none(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def feed() -> Iterator[Examples]:
        return batches(examples(2), 1)

    onnx_int8.quantise(model, feed=feed, method="percentile", reduce_range=True)
    assert capsys.readouterr().out == ""
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(str(model)).graph.node}


def test_an_onnx_runtime_that_takes_no_ranges_is_named_before_it_calibrates(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(model_input: str, model_output: str, calibration_data_reader: Any, **options: Any) -> None:
        raise AssertionError("it was asked to quantise")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", older)
    before = model.read_bytes()
    with pytest.raises(InvalidError, match=r"^calibration\.method: entropy with ONNX Runtime .*; allowed: minmax, or"):
        onnx_int8.quantise(model, feed=lambda: batches(examples(1), 1), method="entropy", reduce_range=False)
    assert model.read_bytes() == before
