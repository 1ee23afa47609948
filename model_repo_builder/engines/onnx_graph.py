"""Conversion of a frozen SavedModel into an ONNX file that keeps the names and shapes of its signature."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_repo_builder.engines import onnx_weights
from model_repo_builder.engines.base import Job
from model_repo_builder.signature import Signature, Tensor

# The newest operator set that both tf2onnx 1.17 writes and ONNX Runtime optimises fully.
OPSET = 17


def write(job: Job, target: Path) -> None:
    """Write `target` for the job; the conversion itself is shared by all variants of the same base."""
    shared = job.base.with_name(f"{job.base.name}.onnx")
    if not shared.exists():
        job.progress("converting to ONNX")
        convert(job.base, job.base_signature, shared)
    with_input_dtype(shared, job.signature, target)


def convert(savedmodel: Path, signature: Signature, target: Path) -> None:
    """Write `target` (model.onnx) from the `serving_default` signature; the batch stays dynamic, images stay NHWC."""
    import onnx
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    # Otherwise it copies the whole graph once more before each pass, to go on without a pass that fails.
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    import tf2onnx

    function = tf.saved_model.load(str(savedmodel)).signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function)
    inputs, outputs = _names(frozen.inputs, signature.inputs), _names(frozen.outputs, signature.outputs)
    graph = frozen.graph.as_graph_def()
    weights = onnx_weights.take_out(graph)
    model, _ = tf2onnx.convert._convert_common(
        graph,
        input_names=[*inputs, *(f"{name}:0" for name in weights)],
        output_names=list(outputs),
        opset=OPSET,
    )
    onnx_weights.put_back(model.graph, weights)
    _rename(model.graph, {**inputs, **outputs})
    for value, tensor in zip([*model.graph.input, *model.graph.output], _in_order(model, signature), strict=True):
        _set_shape(value, tensor.shape)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def with_input_dtype(path: Path, signature: Signature, target: Path) -> None:
    """Copy `path` to `target`; where an input's dtype differs from the signature's, cast it in the graph."""
    import onnx

    model = onnx.load(str(path))
    for tensor in signature.inputs:
        _cast_input(model.graph, tensor)
    onnx.save(model, str(target))


def _cast_input(graph: Any, tensor: Tensor) -> None:
    from onnx import helper

    value = next(value for value in graph.input if value.name == tensor.name)
    wanted = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    inside = value.type.tensor_type.elem_type
    if inside == wanted:
        return
    value.type.tensor_type.elem_type = wanted
    cast = f"{tensor.name}_cast"
    for node in graph.node:
        node.input[:] = [cast if name == tensor.name else name for name in node.input]
    graph.node.insert(0, helper.make_node("Cast", [tensor.name], [cast], name=cast, to=inside))


def _names(frozen: Any, tensors: Sequence[Tensor]) -> dict[str, str]:
    """The signature's name of each tensor of a frozen function, which lists them in the sorted order of these names."""
    return dict(zip((one.name for one in frozen), sorted(tensor.name for tensor in tensors), strict=True))


def _in_order(model: Any, signature: Signature) -> list[Any]:
    tensors = {tensor.name: tensor for tensor in (*signature.inputs, *signature.outputs)}
    return [tensors[value.name] for value in (*model.graph.input, *model.graph.output)]


def _rename(graph: Any, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _set_shape(value: Any, shape: tuple[int, ...]) -> None:
    dimensions = value.type.tensor_type.shape
    dimensions.ClearField("dim")
    dimensions.dim.add().dim_param = "batch"
    for size in shape:
        dimensions.dim.add().dim_value = size
