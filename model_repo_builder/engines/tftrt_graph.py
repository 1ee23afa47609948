"""Which nodes of a converted graph became TensorRT engines, and which stayed outside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

ENGINE_OP = "TRTEngineOp"
# They hold or pass on values; nothing is computed.
PASSIVE = frozenset({"Const", "Placeholder", "Identity", "NoOp", "_Arg", "_Retval"})


@dataclass(frozen=True)
class Split:
    """How many engines there are, how many nodes are inside them, and how many of each type stayed outside."""

    engines: int
    inside: int
    outside: dict[str, int]

    def outside_text(self) -> str:
        """`Cast 1, Softmax 1`, or `nothing`."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.outside.items())) or "nothing"

    def notes(self) -> dict[str, str]:
        """For the manifest."""
        return {
            "tensorrt_engines": str(self.engines),
            "nodes_in_tensorrt": str(self.inside),
            "nodes_outside_tensorrt": self.outside_text(),
        }


def split(graph: Any) -> Split:
    """Count the nodes of a GraphDef that TF-TRT has converted.

    An engine names the function with the nodes that it replaced, which is kept in the graph's library for batches
    that the engine can't take.
    """
    engines = [node for node in graph.node if node.op == ENGINE_OP]
    replaced = {node.attr["segment_func"].func.name for node in engines}
    bodies = [function.node_def for function in graph.library.function if function.signature.name in replaced]
    inside = sum(1 for body in bodies for node in body if node.op not in PASSIVE)
    outside = Counter(node.op for node in graph.node if node.op not in PASSIVE and node.op != ENGINE_OP)
    return Split(len(engines), inside, dict(outside))
