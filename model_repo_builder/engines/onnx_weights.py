"""Large weights kept out of a graph while tf2onnx rewrites it, and put back as they were.

Each of its passes copies the whole graph into memory that is freed at the end: 60 passes over BERT-base would take
26 GB. Only matrices that feed products and look-ups are taken out: tf2onnx rearranges those of convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers in a matrix from which on it counts as large: 4 MB of float32.
LARGE = 1_000_000


def take_out(graph: Any) -> dict[str, NDArray[np.float32]]:
    """Make placeholders of the large matrices of a TensorFlow GraphDef; their values by the names of the nodes."""
    import tensorflow as tf

    weights = {}
    for node in (node for node in graph.node if node.op == "Const" and node.attr["dtype"].type == tf.float32):
        shape = node.attr["value"].tensor.tensor_shape
        if len(shape.dim) != 2 or np.prod([one.size for one in shape.dim]) < LARGE:
            continue
        weights[node.name] = tf.make_ndarray(node.attr["value"].tensor)
        node.attr["shape"].shape.CopyFrom(shape)
        del node.attr["value"]
        node.op = "Placeholder"
    return weights


def put_back(graph: Any, weights: dict[str, NDArray[np.float32]]) -> None:
    """Make initialisers of the inputs that stand for weights in an ONNX graph."""
    from onnx import numpy_helper

    kept = [value for value in graph.input if _node(value.name) not in weights]
    used = [value.name for value in graph.input if _node(value.name) in weights]
    del graph.input[:]
    graph.input.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(weights[_node(name)], name) for name in used)


def _node(tensor: str) -> str:
    return tensor.partition(":")[0]
