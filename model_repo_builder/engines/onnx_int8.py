"""Static INT8 quantisation of an ONNX file: QDQ, weights signed and per channel, activations unsigned."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# One image at a time keeps the memory of a calibration pass, which holds every activation, small.
CALIBRATION_BATCH = 1
# Types that the CPU executes in INT8. Softmax stays in floating point, it costs nothing and decides everything.
# Relu and Clip are here to disappear: an unsigned range that begins at zero already cuts off what is below.
QUANTISED_TYPES = [
    *("Conv", "MatMul", "Gemm", "Add", "Mul"),
    *("Relu", "Clip", "MaxPool", "GlobalAveragePool", "AveragePool"),
    *("Pad", "Transpose", "Squeeze", "Reshape", "Flatten", "Concat"),
]


def quantise(path: Path, *, images: NDArray[Any], input_name: str, method: str, reduce_range: bool) -> None:
    """Replace the FP32 model at `path` by its INT8 version, ranges taken from `images` [n, h, w, c].

    Types follow ONNX Runtime's advice for x86: unsigned activations, signed per-channel weights
    (documentation, "Quantize ONNX models", "Data type selection").
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(logging.ERROR)
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _reader(images, input_name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_TYPES,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[method],
        )


def _reader(images: NDArray[Any], input_name: str) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Feeds the images in order, once."""

        def __init__(self) -> None:
            starts = range(0, len(images), CALIBRATION_BATCH)
            self._batches = iter([images[start : start + CALIBRATION_BATCH] for start in starts])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {input_name: batch}

    return Reader()
