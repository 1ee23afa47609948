"""INT8 quantisation of an ONNX file, static or dynamic: weights signed and per channel, activations by what runs it."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_repo_builder.engines import onnx_calibration
from model_repo_builder.engines.onnx_calibration import Feed
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples.kinds import Examples

# Types that the CPU executes in INT8. Softmax stays in floating point, it costs nothing and decides everything.
# Relu and Clip are here to disappear: an unsigned range that begins at zero already cuts off what is below.
QUANTISED_TYPES = [
    *("Conv", "MatMul", "Gemm", "Add", "Mul"),
    *("Relu", "Clip", "MaxPool", "GlobalAveragePool", "AveragePool"),
    *("Pad", "Transpose", "Squeeze", "Reshape", "Flatten", "Concat"),
]
# Layers that TensorRT runs in INT8. Others take what they are given: a residual Add finds its shortcut quantised, as
# that is an input of the next convolution, and is fused with the convolution before it.
TENSORRT_TYPES = ["Conv", "MatMul", "Gemm"]
# What is worth it where the range of each activation is found as it comes: products with weights, and look-up tables.
DYNAMIC_TYPES = ["MatMul", "Gemm", "Gather"]
# A look-up's DequantizeLinear before one of these ends the process: ONNX Runtime's optimiser moves it on, and takes
# what a body takes of the graph around it for one of the node's own inputs (1.31).
WITH_BODIES = {"Loop", "If", "Scan"}


def quantise_dynamically(path: Path, *, reduce_range: bool) -> None:
    """Replace the FP32 model at `path` by one with INT8 weights, which finds the range of activations at run time.

    ONNX Runtime's advice for transformers (documentation, "Quantize ONNX models", "Method selection"): the range of
    their activations differs much between tokens. docs/how-to/language-models.md compares it with the static method.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    has_bodies = any(node.op_type in WITH_BODIES for node in onnx.load(str(path), load_external_data=False).graph.node)
    with _errors_only():
        quantize_dynamic(
            str(path),
            str(path),
            op_types_to_quantize=[one for one in DYNAMIC_TYPES if one != "Gather" or not has_bodies],
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # Attention multiplies activations with one another: too little work for the cost of two ranges.
            extra_options={"MatMulConstBOnly": True},
        )


def quantise(path: Path, *, feed: Feed, method: str, reduce_range: bool) -> None:
    """Replace the FP32 model at `path` by its INT8 version, ranges taken from the examples that `feed` gives.

    Memory is that of the activations of one of its requests, however many there are.

    Types follow ONNX Runtime's advice for x86: unsigned activations, signed per-channel weights
    (documentation, "Quantize ONNX models", "Data type selection").
    """
    from onnxruntime.quantization import QuantType

    _quantise_statically(
        path,
        feed,
        method,
        op_types_to_quantize=QUANTISED_TYPES,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
    )


def quantise_for_tensorrt(path: Path, *, feed: Feed, method: str) -> None:
    """Replace the FP32 model at `path` by one that says by explicit Q/DQ pairs what TensorRT runs in INT8.

    TensorRT takes signed numbers with a zero point of 0 alone, weights as floating point before a pair of their own,
    and no quantised bias (TensorRT documentation, "Working with Quantized Types", "Explicit Quantization"). A pair
    stands before each quantised layer and none behind it, so that what follows can be fused into the layer.
    """
    from onnxruntime.quantization import QuantType

    _quantise_statically(
        path,
        feed,
        method,
        op_types_to_quantize=TENSORRT_TYPES,
        activation_type=QuantType.QInt8,
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "AddQDQPairToWeight": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": TENSORRT_TYPES,
            # Columns of the second matrix, where ONNX Runtime's default is one scale for all.
            "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1},
            # Products of two activations (attention) gain less than their two ranges cost.
            "MatMulConstBOnly": True,
        },
    )


def _quantise_statically(path: Path, feed: Feed, method: str, **options: Any) -> None:
    """Q/DQ pairs by ONNX Runtime, with the ranges that the examples show; `options` are those of quantize_static."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    with _errors_only(), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        ranges = Path(scratch) / "ranges.json"
        if method != "minmax":
            if "calibration_cache_path" not in inspect.signature(quantize_static).parameters:
                # Its own calibration would hold the values of all examples in memory.
                found = f"{method} with ONNX Runtime {importlib.metadata.version('onnxruntime')}"
                raise InvalidError("calibration.method", found, "minmax, or a newer ONNX Runtime, as 1.31")
            options["calibration_cache_path"] = ranges
            onnx_calibration.write_ranges(prepared, feed, methods[method], options["op_types_to_quantize"], ranges)
        quantize_static(
            str(prepared),
            str(path),
            _reader(feed),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[method],
            **options,
        )


@contextmanager
def _errors_only() -> Iterator[None]:
    """ONNX Runtime's quantisation logs to the root logger; afterwards that is as it was."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _reader(feed: Feed) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Feeds the examples in order, once."""

        def __init__(self) -> None:
            self._requests = feed()

        def get_next(self) -> Examples | None:
            return next(self._requests, None)

    return Reader()
