"""Half precision in an ONNX graph itself: what a strongly typed TensorRT network needs, which chooses no types."""

from __future__ import annotations

from pathlib import Path

# The statistics of a normalisation: sums over hundreds of squares, whose rounding every later layer would inherit.
KEPT_IN_FP32 = ["GlobalAveragePool", "ReduceMean", "Sqrt", "Reciprocal"]


def to_half(path: Path) -> None:
    """Replace the FP32 model at `path` by one in FP16; inputs and outputs keep their types.

    Constants beyond FP16's range, such as the one that masks padding, become its largest numbers.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = convert_float_to_float16(
        onnx.load(str(path)), keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KEPT_IN_FP32]
    )
    # Casts around what stays in FP32 are put at the end.
    OnnxModel(model).topological_sort()
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
