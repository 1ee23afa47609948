"""A network saved as a SavedModel of one signature: with its weights as constants, or whole where they can't be."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any

from model_repo_builder import tensorflow_graph
from model_repo_builder.errors import InvalidError
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor
from model_repo_builder.sources.savedmodel import NOT_RANDOM

Network = Callable[[dict[str, Any]], dict[str, Any]]
# Names that TensorFlow takes as those of arguments; with others a model is saved under stand-ins, then renamed.
ARGUMENT = re.compile(r"[a-z_][a-z0-9_]*")
SERVING_DEFAULT = "serving_default"


# Operations that draw other numbers at each run; those named Stateless take a seed with the request.
RANDOM = frozenset(
    {
        *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "ParameterizedTruncatedNormal"),
        *("TruncatedNormal", "RandomGamma", "RandomPoisson", "RandomPoissonV2", "RandomShuffle", "Multinomial"),
    }
)
# Behind these a random operation may reach no answer, as dropout of TensorFlow 1.
SWITCHES = frozenset({"PlaceholderWithDefault", "Switch", "If", "StatelessIf"})
XLA = "_XlaMustCompile"


class NotFreezableError(Exception):
    """The graph holds a resource that is no variable, such as a table, or more weights than a graph can."""


def export(network: Network, signature: Signature, folder: Path) -> None:
    """Save `network`, which maps inputs to outputs by their names, with the signature `serving_default`.

    Its weights become constants. NotFreezableError where they can't, as beside tables.
    """
    import tensorflow as tf

    specs = [spec(tensor, signature) for tensor in signature.inputs]
    names = [tensor.name for tensor in signature.inputs]

    def whole(*inputs: Any) -> list[Any]:
        results = network(dict(zip(names, inputs, strict=True)))
        return [results[tensor.name] for tensor in signature.outputs]

    arguments = [tf.TensorSpec(spec.shape, spec.dtype, name=f"input_{i}") for i, spec in enumerate(specs)]
    frozen = _frozen(tf.function(whole, input_signature=arguments).get_concrete_function(), len(names))

    def served(*inputs: Any) -> dict[str, Any]:
        return {
            tensor.name: tf.ensure_shape(result, _shape(tensor, signature))
            for tensor, result in zip(signature.outputs, frozen(*inputs), strict=True)
        }

    save(served, specs, folder, tf.Module())


def save(served: Any, specs: list[Any], folder: Path, module: Any) -> None:
    """Save a function with the signature `serving_default`; `module` keeps alive what it needs, beside it."""
    import tensorflow as tf

    stand_ins = {
        spec.name: spec.name if ARGUMENT.fullmatch(spec.name) and not iskeyword(spec.name) else f"input_{number}"
        for number, spec in enumerate(specs)
    }
    if len(set(stand_ins.values())) < len(specs):
        stand_ins = {spec.name: f"input_{number}" for number, spec in enumerate(specs)}
    module.serve = tf.function(
        served, input_signature=[tf.TensorSpec(spec.shape, spec.dtype, name=stand_ins[spec.name]) for spec in specs]
    )
    tf.saved_model.save(module, str(folder), signatures={SERVING_DEFAULT: module.serve.get_concrete_function()})
    changed = {new: old for old, new in stand_ins.items() if new != old}
    if changed:
        _rename_inputs(folder, changed)


def keep(origin: Path, name: str, folder: Path) -> None:
    """Copy a SavedModel whole, with its signature `name` as `serving_default`, alone with the tag `serve`."""
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(origin, folder)
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    serving = min(
        (meta for meta in saved.meta_graphs if "serve" in meta.meta_info_def.tags),
        key=lambda meta: len(meta.meta_info_def.tags),
    )
    kept = type(serving)()
    kept.CopyFrom(serving)
    del saved.meta_graphs[:]
    saved.meta_graphs.append(kept)
    kept.meta_info_def.tags[:] = ["serve"]
    if name != SERVING_DEFAULT:
        kept.signature_def[SERVING_DEFAULT].CopyFrom(kept.signature_def[name])
        _rename_signature(kept.object_graph_def, name)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _rename_signature(objects: Any, name: str) -> None:
    """The same in the graph of objects, which tf.saved_model.load reads; graphs of TensorFlow 1 have none."""
    if not objects.nodes:
        return
    number = next((child.node_id for child in objects.nodes[0].children if child.local_name == "signatures"), None)
    if number is None:
        return
    children = objects.nodes[number].children
    others = [child for child in children if child.local_name not in (SERVING_DEFAULT, name)]
    chosen = next(child for child in children if child.local_name == name)
    chosen.local_name = SERVING_DEFAULT
    kept = [type(chosen).FromString(child.SerializeToString()) for child in (*others, chosen)]
    del children[:]
    children.extend(kept)


def spec(tensor: Tensor, signature: Signature) -> Any:
    """The TensorSpec of an input."""
    import tensorflow as tf

    dtype = tf.string if tensor.dtype == STRING else tf.as_dtype(tensor.dtype)
    return tf.TensorSpec(_shape(tensor, signature), dtype, name=tensor.name)


def _shape(tensor: Tensor, signature: Signature) -> tuple[int | None, ...]:
    sizes = tuple(None if size == OPEN else size for size in tensor.shape)
    return (None, *sizes) if signature.batched else sizes


def _frozen(function: Any, inputs: int) -> Any:
    """The function with constants for variables; InvalidError where its answer is random."""
    size_gb = tensorflow_graph.weights_gb(function)
    if size_gb > tensorflow_graph.MOST_GB:
        raise NotFreezableError(f"{size_gb:.1f} GB of them, and a graph holds {tensorflow_graph.MOST_GB:g}")
    variables = {id(variable.handle) for variable in function.graph.variables}
    for captured, _ in function.graph.captures:
        if captured.dtype.name in ("resource", "variant") and id(captured) not in variables:
            raise NotFreezableError("it has tables or other resources")
    definition = function.graph.as_graph_def()
    if changing := tensorflow_graph.changing(definition):
        raise NotFreezableError(f"it changes its variables when it answers: {', '.join(changing)}")
    if tensorflow_graph.tables(definition):
        raise NotFreezableError("it has tables")
    constant = tensorflow_graph.with_constants(function)
    if any(XLA in node.attr for node in tensorflow_graph.nodes(constant.graph.as_graph_def())):
        constant = tensorflow_graph.with_constants(_without_xla(constant))
    operations = {node.op for node in constant.graph.as_graph_def().node}
    # Where there are switches, the probe has told: it has asked the same again.
    random = sorted(operations & RANDOM) if not operations & SWITCHES else []
    if random:
        raise InvalidError("model.source", f"its answer is random, the graph holds {', '.join(random)}", NOT_RANDOM)
    if len(constant.inputs) != inputs:
        raise NotFreezableError(", ".join(tensor.name for tensor in constant.inputs[inputs:]))
    return _without_assertions(_with_defaults(constant))


def _of_graph(definition: Any, function: Any) -> Any:
    """A GraphDef as a function of the same inputs and outputs."""
    from tensorflow.python.eager.wrap_function import function_from_graph_def

    inputs, outputs = ([tensor.name for tensor in tensors] for tensors in (function.inputs, function.outputs))
    return function_from_graph_def(definition, inputs, outputs)


def _without_xla(function: Any) -> Any:
    """The function without its wish to be compiled (jit_compile=True), which keeps its parts from being inlined."""
    definition = function.graph.as_graph_def()
    # TensorFlow knows the functions by their names already: others need new ones.
    names = {one.signature.name: f"{one.signature.name}_without_xla" for one in definition.library.function}
    for one in definition.library.function:
        one.signature.name = names[one.signature.name]
        one.attr.pop(XLA, None)
    for node in tensorflow_graph.nodes(definition):
        node.attr.pop(XLA, None)
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            for called in (*value.list.func, *([value.func] if value.HasField("func") else [])):
                called.name = names.get(called.name, called.name)
    return _of_graph(definition, function)


def _with_defaults(function: Any) -> Any:
    """The function with the defaults of what is no input of the signature, such as a flag for training."""
    definition = function.graph.as_graph_def()
    optional = [node for node in definition.node if node.op == "PlaceholderWithDefault"]
    if not optional:
        return function
    for node in optional:
        dtype = node.attr.pop("dtype").type
        node.attr.clear()
        node.op = "Identity"
        node.attr["T"].type = dtype
    return _of_graph(definition, function)


def _without_assertions(function: Any) -> Any:
    """The function without checks of its inputs: an effect besides its outputs keeps it from being inlined."""
    definition = function.graph.as_graph_def()
    waits_for = {f"^{node.name}" for node in definition.node if node.op == "Assert"}
    if not waits_for:
        return function
    for node in definition.node:
        node.input[:] = [name for name in node.input if name not in waits_for]
    return _of_graph(definition, function)


def _rename_inputs(folder: Path, names: dict[str, str]) -> None:
    """Give the inputs of `serving_default` their names of the source: in the signature, and where functions are."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
        inputs = meta.signature_def[SERVING_DEFAULT].inputs
        values = {names.get(key, key): value.SerializeToString() for key, value in inputs.items()}
        inputs.clear()
        for key, value in values.items():
            inputs[key].MergeFromString(value)
        # To look at a field of another kind of node would make it one.
        for node in (one for one in meta.object_graph_def.nodes if one.HasField("bare_concrete_function")):
            keywords = node.bare_concrete_function.argument_keywords
            keywords[:] = [names.get(key, key) for key in keywords]
    path.write_bytes(saved.SerializeToString(deterministic=True))
