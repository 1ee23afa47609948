"""Conversion of a frozen SavedModel into an ONNX file that keeps the names and shapes of its signature."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from model_repo_builder.signature import Signature

# The newest operator set that both tf2onnx 1.17 writes and ONNX Runtime optimises fully.
OPSET = 17


def convert(savedmodel: Path, signature: Signature, target: Path) -> None:
    """Write `target` (model.onnx) from the `serving_default` signature; batch stays dynamic, images stay NHWC."""
    import onnx
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    import tf2onnx

    function = tf.saved_model.load(str(savedmodel)).signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function)
    # The frozen function lists its outputs in the sorted order of the signature's names.
    inputs = {tensor.name: name.name for tensor, name in zip(frozen.inputs, signature.inputs, strict=True)}
    outputs = dict(
        zip(
            (tensor.name for tensor in frozen.outputs),
            sorted(output.name for output in signature.outputs),
            strict=True,
        )
    )
    model, _ = tf2onnx.convert._convert_common(
        frozen.graph.as_graph_def(),
        input_names=list(inputs),
        output_names=list(outputs),
        opset=OPSET,
    )
    _rename(model.graph, {**inputs, **outputs})
    for value, tensor in zip([*model.graph.input, *model.graph.output], _in_order(model, signature), strict=True):
        _set_shape(value, tensor.shape)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def with_input_dtype(path: Path, signature: Signature, target: Path) -> None:
    """Copy `path` to `target`; where the input's dtype differs from the signature's, cast it in the graph."""
    import onnx
    from onnx import helper

    model = onnx.load(str(path))
    image = signature.image
    value = next(value for value in model.graph.input if value.name == image.name)
    wanted = helper.np_dtype_to_tensor_dtype(np.dtype(image.dtype))
    inside = value.type.tensor_type.elem_type
    if inside != wanted:
        value.type.tensor_type.elem_type = wanted
        cast = f"{image.name}_cast"
        for node in model.graph.node:
            node.input[:] = [cast if name == image.name else name for name in node.input]
        model.graph.node.insert(0, helper.make_node("Cast", [image.name], [cast], name=cast, to=inside))
    onnx.save(model, str(target))


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
