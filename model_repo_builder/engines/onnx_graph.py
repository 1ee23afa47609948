"""Conversion of a frozen SavedModel into an ONNX file that keeps the names and shapes of its signature."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_repo_builder import tensorflow_graph
from model_repo_builder.engines import onnx_rewrites, onnx_weights
from model_repo_builder.engines.base import Job
from model_repo_builder.errors import UnsupportedError, first_line
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor

# The newest operator set that both tf2onnx 1.17 writes and ONNX Runtime optimises fully.
OPSET = 17
# How an error of tf2onnx begins that says which models it takes.
_TOLD = "make_sure failure: "


class _Failed(logging.Handler):
    """Collects the names of the nodes that tf2onnx fails on, of which it tells its log alone; nothing is printed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.names: list[str] = []
        self._log = logging.getLogger("tf2onnx")
        self._log.setLevel(logging.ERROR)
        self._log.propagate = False
        self._log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the name; other errors come as exceptions too."""
        if str(record.msg).startswith("Failed to convert node") and isinstance(record.args, tuple):
            self.names.append(str(record.args[0]))

    def close(self) -> None:
        """Listen no more."""
        self._log.removeHandler(self)
        super().close()


def shared_by(base: Path) -> Path:
    """Where the graph lies that all variants of a base are made of."""
    return base.with_name(f"{base.name}.onnx")


def write(job: Job, target: Path) -> None:
    """Write `target` for the job; the conversion itself is shared by all variants of the same base."""
    shared = shared_by(job.base)
    if not shared.exists():
        job.progress("converting to ONNX")
        convert(job.base, job.base_signature, shared)
    with_input_dtype(shared, job.signature, target)


def convert(savedmodel: Path, signature: Signature, target: Path) -> None:
    """Write `target` (model.onnx) from the `serving_default` signature; images stay as they are, open sizes open.

    UnsupportedError names what ONNX has no operation for.
    """
    import onnx
    import tensorflow as tf

    failed = _Failed()
    # Otherwise it copies the whole graph once more before each pass, to go on without a pass that fails.
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    import tf2onnx

    shared = {tensor.name for tensor in signature.inputs} & {tensor.name for tensor in signature.outputs}
    if shared:
        raise UnsupportedError(f"ONNX has one name for one tensor, and {min(shared)} is an input and an output")
    loaded = tf.saved_model.load(str(savedmodel))
    function = loaded.signatures["serving_default"]
    frozen = _with_constants(function)
    inputs = _names(frozen.inputs, function._arg_keywords)
    outputs = _names(frozen.outputs, sorted(function.structured_outputs))
    graph = frozen.graph.as_graph_def()
    onnx_rewrites.apply(graph)
    weights = onnx_weights.take_out(graph)
    try:
        model, _ = tf2onnx.convert._convert_common(
            graph,
            input_names=[*inputs, *(f"{name}:0" for name in weights)],
            output_names=list(outputs),
            opset=OPSET,
        )
    except Exception as error:
        operations = {node.name: node.op for node in tensorflow_graph.nodes(graph)}
        what = ", ".join(sorted({operations.get(name, name) for name in failed.names})) or "it"
        # Errors of its own Python say nothing of the model.
        line = first_line(error)
        reason = f": {line.removeprefix(_TOLD)}" if line.startswith(_TOLD) else ""
        raise UnsupportedError(f"tf2onnx can't convert {what}{reason}") from None
    finally:
        failed.close()
    _refuse_unknown(model)
    onnx_weights.put_back(model.graph, weights)
    _pass_on_constants(model.graph)
    _rename(model.graph, {**inputs, **outputs})
    for value, tensor in zip([*model.graph.input, *model.graph.output], _in_order(model, signature), strict=True):
        _set_shape(value, tensor, signature)
    onnx_rewrites.keep_cubic_layout(model.graph)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise UnsupportedError(f"tf2onnx writes an invalid graph: {first_line(error)}") from None
    onnx.save(model, str(target))


def _with_constants(function: Any) -> Any:
    """The function with constants for variables; UnsupportedError where it holds more than weights, or too many."""
    definition = function.graph.as_graph_def()
    if changing := tensorflow_graph.changing(definition):
        raise UnsupportedError(f"ONNX has no variables, and the model changes its own by {', '.join(changing)}")
    if tables := tensorflow_graph.tables(definition):
        raise UnsupportedError(f"ONNX has no tables, and the model has {', '.join(tables)}; allowed: engine tensorflow")
    size_gb, most_gb = tensorflow_graph.weights_gb(function), tensorflow_graph.MOST_GB
    if size_gb > most_gb:
        raise UnsupportedError(f"an ONNX file holds {most_gb:g} GB, and the model has {size_gb:.1f} GB of weights")
    try:
        return tensorflow_graph.with_constants(function)
    except Exception as error:
        raise UnsupportedError(f"its weights can't become constants: {first_line(error)}") from None


def _refuse_unknown(model: Any) -> None:
    """UnsupportedError with every operation that tf2onnx has left as TensorFlow's own."""
    from onnx import defs

    def operations(graph: Any) -> Iterator[tuple[str, str]]:
        for node in graph.node:
            yield node.domain, node.op_type
            for attribute in node.attribute:
                for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                    yield from operations(inner)

    unknown = sorted({name for domain, name in operations(model.graph) if not defs.has(name, domain)})
    if unknown:
        raise UnsupportedError(f"ONNX has no operation for {', '.join(unknown)}; allowed: engine tensorflow")


def with_input_dtype(path: Path, signature: Signature, target: Path) -> None:
    """Copy `path` to `target`; where an input's dtype differs from the signature's, cast it in the graph."""
    import onnx

    model = onnx.load(str(path))
    for tensor in (one for one in signature.inputs if one.dtype != STRING):
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


def _names(tensors: Sequence[Any], names: Sequence[str]) -> dict[str, str]:
    """The signature's name of each tensor of a frozen function, which lists its arguments in the same order."""
    return dict(zip((tensor.name for tensor in tensors), names, strict=True))


def _in_order(model: Any, signature: Signature) -> list[Any]:
    tensors = {tensor.name: tensor for tensor in (*signature.inputs, *signature.outputs)}
    return [tensors[value.name] for value in (*model.graph.input, *model.graph.output)]


def _pass_on_constants(graph: Any) -> None:
    """Give every output a node: of a constant, or of an input that is passed on, tf2onnx leaves none."""
    from onnx import helper

    made = {name for node in graph.node for name in node.output}
    for value in graph.output:
        if value.name in made:
            continue
        inner = f"{value.name}__constant"
        for constant in graph.initializer:
            constant.name = inner if constant.name == value.name else constant.name
        for node in graph.node:
            node.input[:] = [inner if name == value.name else name for name in node.input]
        graph.node.append(helper.make_node("Identity", [inner], [value.name], name=f"{inner}_passed_on"))


def _rename(graph: Any, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    _rename_in_nodes(graph, names)


def _rename_in_nodes(graph: Any, names: dict[str, str]) -> None:
    """Branches and bodies of loops refer to tensors of the graph around them by their names."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            _rename_in_nodes(inner, names)
            for value in inner.output:
                value.name = names.get(value.name, value.name)


def _set_shape(value: Any, tensor: Tensor, signature: Signature) -> None:
    shape = value.type.tensor_type.shape
    shape.ClearField("dim")
    if signature.batched:
        shape.dim.add().dim_param = "batch"
    for number, size in enumerate(tensor.shape):
        dimension = shape.dim.add()
        if size == OPEN:
            dimension.dim_param = f"{tensor.name}_{number}"
        else:
            dimension.dim_value = size
