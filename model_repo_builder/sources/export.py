"""A network with its weights as constants, saved as a SavedModel of one signature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_repo_builder.signature import Signature


def export(network: Callable[[dict[str, Any]], dict[str, Any]], signature: Signature, folder: Path) -> None:
    """Save `network`, which maps inputs to outputs by their names, with the signature `serving_default`."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [tf.TensorSpec((None, *tensor.shape), tensor.dtype, name=tensor.name) for tensor in signature.inputs]
    names = [tensor.name for tensor in signature.inputs]

    def whole(*inputs: Any) -> list[Any]:
        results = network(dict(zip(names, inputs, strict=True)))
        return [results[tensor.name] for tensor in signature.outputs]

    constant = convert_variables_to_constants_v2(tf.function(whole, input_signature=specs).get_concrete_function())
    frozen = _without_assertions(constant)

    def served(*inputs: Any) -> dict[str, Any]:
        return {
            tensor.name: tf.ensure_shape(result, (None, *tensor.shape))
            for tensor, result in zip(signature.outputs, frozen(*inputs), strict=True)
        }

    module = tf.Module()
    function = tf.function(served, input_signature=specs)
    module.serve = function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function.get_concrete_function()})


def _without_assertions(function: Any) -> Any:
    """The function without checks of its inputs: an effect besides its outputs keeps it from being inlined."""
    from tensorflow.python.eager.wrap_function import function_from_graph_def

    definition = function.graph.as_graph_def()
    waits_for = {f"^{node.name}" for node in definition.node if node.op == "Assert"}
    if not waits_for:
        return function
    for node in definition.node:
        node.input[:] = [name for name in node.input if name not in waits_for]
    return function_from_graph_def(
        definition, [tensor.name for tensor in function.inputs], [tensor.name for tensor in function.outputs]
    )
