"""A graph of TensorFlow: what it holds besides weights, how large these are, and the same with them as constants."""

from __future__ import annotations

from typing import Any

from model_repo_builder.tensorflow_log import without_informing_lines

# Of weights: a frozen graph and an ONNX file are messages of protocol buffers, which have at most 2 GiB, and what is no
# weight needs some of it.
MOST_GB = 2.0


def nodes(definition: Any) -> list[Any]:
    """The nodes of a GraphDef, those of its functions too."""
    return [*definition.node, *(node for function in definition.library.function for node in function.node_def)]


def changing(definition: Any) -> list[str]:
    """The operations by which a graph changes its own variables, each once."""
    return sorted({node.op for node in nodes(definition) if node.op.startswith("Assign")})


def tables(definition: Any) -> list[str]:
    """The operations on tables, each once."""
    return sorted({node.op for node in nodes(definition) if "Table" in node.op})


def weights_gb(function: Any) -> float:
    """The size of a concrete function's variables in gigabytes."""
    sizes = [(variable.shape.num_elements() or 0) * variable.dtype.size for variable in function.graph.variables]
    return float(sum(sizes)) / 1e9


def with_constants(function: Any) -> Any:
    """The concrete function with constants in place of its variables.

    Loops and branches stay functions, which converters understand; lowered, they are operations that those do not.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with without_informing_lines():
        return convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
