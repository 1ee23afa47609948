"""What keeps tf2onnx or ONNX Runtime from a model that they could run, written in another way."""

from __future__ import annotations

from typing import Any


def apply(graph: Any) -> None:
    """Rewrite a GraphDef in place, the functions of its loops and branches too."""
    _pass_over_identities(graph.node)
    _replace(graph.node, graph.node.add)
    _floor_integers(graph.node, graph.node.add)
    _keep_negative_apart(graph.node, graph.node.add)
    for function in graph.library.function:
        _replace(function.node_def, function.node_def.add)
        _floor_integers(function.node_def, function.node_def.add)
        _keep_negative_apart(function.node_def, function.node_def.add)


def _pass_over_identities(nodes: Any) -> None:
    """Have nodes take what an Identity passes on: inlining leaves some before constants, which tf2onnx looks for."""
    sources = {node.name: node.input[0] for node in nodes if node.op == "Identity"}

    def source(name: str) -> str:
        while name in sources:
            name = sources[name]
        return name

    for node in nodes:
        node.input[:] = [name if name.startswith("^") else source(name.removesuffix(":0")) for name in node.input]


def _replace(nodes: Any, add: Any) -> None:
    """Erfc(x) is 1 - Erf(x): the exact GELU of TensorFlow 2.17, which loses nothing where Erf is far from 1.

    Elsewhere the difference is that of FP32 numbers near 1, 6e-8, and x * Erfc(x) / 2 is as small.
    """
    import numpy as np
    import tensorflow as tf

    for node in [node for node in nodes if node.op == "Erfc"]:
        dtype = tf.dtypes.as_dtype(node.attr["T"].type)
        source, name = node.input[0], node.name
        erf, one = add(name=f"{name}/erf", op="Erf", input=[source]), add(name=f"{name}/one", op="Const")
        erf.attr["T"].type = one.attr["dtype"].type = dtype.as_datatype_enum
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones((), dtype.as_numpy_dtype)))
        node.op = "Sub"
        node.input[:] = [_output(one.name, source, "output"), _output(erf.name, source, "y")]


def _floor_integers(nodes: Any, add: Any) -> None:
    """Divisions of integers that round down, by those of tf2onnx, which round towards zero: -7 // 2 is -4.

    mod(mod(x, y) + y, y) has the sign of y whichever way mod rounds, and x less that is divided without a rest.
    """
    import tensorflow as tf

    signed = {one.as_datatype_enum for one in (tf.int8, tf.int16, tf.int32, tf.int64)}
    for node in [one for one in nodes if one.op in ("FloorMod", "FloorDiv") and one.attr["T"].type in signed]:
        numbers, divisor = node.input[0], node.input[1]

        def step(name: str, operation: str, left: str, right: str, node: Any = node) -> str:
            made = add(name=f"{node.name}/{name}", op=operation, input=[left, right])
            made.attr["T"].type = node.attr["T"].type
            return _output(made.name, node.input[0], "z")

        above = step("above", "AddV2", step("towards_zero", "FloorMod", numbers, divisor), divisor)
        if node.op == "FloorMod":
            node.input[:] = [above, divisor]
        else:
            rest = step("rest", "FloorMod", above, divisor)
            node.input[:] = [step("multiple", "Sub", numbers, rest), divisor]


def _keep_negative_apart(nodes: Any, add: Any) -> None:
    """Give OneHot its depth in place of negative numbers: ONNX counts these from the end, as -1 for the last.

    TensorFlow has no place for either.
    """
    import numpy as np
    import tensorflow as tf

    signed = {one.as_datatype_enum for one in (tf.int8, tf.int32, tf.int64)}
    for node in [one for one in nodes if one.op == "OneHot" and one.attr["TI"].type in signed]:
        numbers, depth, dtype = node.input[0], node.input[1], tf.dtypes.as_dtype(node.attr["TI"].type)
        zero = add(name=f"{node.name}/zero", op="Const")
        zero.attr["dtype"].type = dtype.as_datatype_enum
        zero.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.zeros((), dtype.as_numpy_dtype)))
        beyond = add(name=f"{node.name}/beyond", op="Cast", input=[depth])
        beyond.attr["SrcT"].type, beyond.attr["DstT"].type = tf.int32.as_datatype_enum, dtype.as_datatype_enum
        negative = add(name=f"{node.name}/negative", op="Less", input=[numbers, _output(zero.name, numbers, "output")])
        chosen = [_output(negative.name, numbers, "z"), _output(beyond.name, numbers, "y"), numbers]
        kept = add(name=f"{node.name}/kept", op="SelectV2", input=chosen)
        negative.attr["T"].type = kept.attr["T"].type = dtype.as_datatype_enum
        node.input[0] = _output(kept.name, numbers, "output")


def _output(name: str, like: str, output: str) -> str:
    """A reference to the first output of a node; functions call it NODE:OUTPUT:0."""
    return f"{name}:{output}:0" if like.count(":") == 2 else name


def keep_cubic_layout(graph: Any) -> None:
    """Write the transposition before a cubic Resize of an ONNX graph as an Einsum, in place.

    ONNX Runtime's optimiser moves a Transpose behind the Resize, and its cubic kernel then refuses channels that come
    last (1.23; upsamplebase.h, ScalesValidation).
    """
    from onnx import helper

    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        modes = [attribute.s for attribute in node.attribute if attribute.name == "mode"]
        before = makers.get(node.input[0])
        if node.op_type != "Resize" or modes != [b"cubic"] or before is None or before.op_type != "Transpose":
            continue
        order = next(list(attribute.ints) for attribute in before.attribute if attribute.name == "perm")
        letters = "abcdefgh"[: len(order)]
        moved = "".join(letters[axis] for axis in order)
        before.op_type = "Einsum"
        del before.attribute[:]
        before.attribute.append(helper.make_attribute("equation", f"{letters}->{moved}"))
