"""saved_model.pb as far as a plan needs it, read without TensorFlow: signatures, and the operations of the graph.

The messages are described here by the few fields that matter, with the numbers of TensorFlow's own .proto files
(saved_model.proto, meta_graph.proto, tensor_shape.proto, graph.proto, function.proto); all others are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from example_files.messages import DTYPES, Fields, message_classes

FILE = "saved_model.pb"
_PACKAGE = "saved_model_reader"
_MESSAGES: dict[str, Fields] = {
    "SavedModel": (("meta_graphs", 2, "MetaGraph", True),),
    "MetaGraph": (("info", 1, "Info", False), ("graph", 2, "Graph", False), ("signatures", 5, "SignatureEntry", True)),
    "Info": (("tags", 4, "string", True),),
    "SignatureEntry": (("key", 1, "string", False), ("value", 2, "SignatureDef", False)),
    "SignatureDef": (("inputs", 1, "TensorEntry", True), ("outputs", 2, "TensorEntry", True)),
    "TensorEntry": (("key", 1, "string", False), ("value", 2, "TensorInfo", False)),
    "TensorInfo": (
        ("name", 1, "string", False),
        ("dtype", 2, "int32", False),
        ("shape", 3, "Shape", False),
        ("coo_sparse", 4, "CooSparse", False),
        ("composite", 5, "Composite", False),
    ),
    "CooSparse": (("values", 1, "string", False),),
    "Composite": (("components", 2, "TensorInfo", True),),
    "Shape": (("dim", 2, "Dimension", True), ("unknown_rank", 3, "bool", False)),
    "Dimension": (("size", 1, "int64", False),),
    "Graph": (("node", 1, "Node", True), ("library", 2, "Library", False)),
    "Node": (("name", 1, "string", False), ("op", 2, "string", False)),
    "Library": (("function", 1, "Function", True),),
    "Function": (("node", 3, "Node", True),),
}


@dataclass(frozen=True)
class Declared:
    """A tensor as a signature declares it: all its dimensions, -1 for an open one; None where the rank is unknown."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signatures:
    """What a SavedModel holds for serving: signatures by name (inputs, outputs), its tags, the types of its nodes."""

    by_name: dict[str, tuple[tuple[Declared, ...], tuple[Declared, ...]]]
    tags: tuple[str, ...]
    operations: frozenset[str]


class UnreadableError(ValueError):
    """The file is no SavedModel, or none that can be served: what was found, and what is allowed."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(f"{found}; allowed: {allowed}")
        self.found, self.allowed = found, allowed


def read(path: Path) -> Signatures:
    """The graph for serving of a saved_model.pb; UnreadableError where there is none."""
    saved = _classes()["SavedModel"]()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError:
        raise UnreadableError(f"has a {FILE} that is damaged or cut off", "a copy of all of it") from None
    except OSError as error:
        raise UnreadableError(f"has a {FILE} that can't be read ({error.strerror})", "one that can be read") from None
    graphs = [graph for graph in saved.meta_graphs if "serve" in graph.info.tags]
    if not graphs:
        tags = ", ".join(f"[{', '.join(graph.info.tags)}]" for graph in saved.meta_graphs)
        found = f"has graphs with the tags {tags}" if tags else f"has a {FILE} without a graph"
        raise UnreadableError(found, "a SavedModel with a graph of the tag serve, as tf.saved_model.save writes it")
    graph = min(graphs, key=lambda one: len(one.info.tags))
    signatures = {
        entry.key: (_sorted_tensors(entry.value.inputs, _inputs), _sorted_tensors(entry.value.outputs, _outputs))
        for entry in graph.signatures
        if entry.key != "__saved_model_init_op" and entry.value.outputs
    }
    return Signatures(signatures, tuple(graph.info.tags), frozenset(_operations(graph.graph)))


def _sorted_tensors(entries: Any, tensors: Callable[[str, Any], Iterator[Declared]]) -> tuple[Declared, ...]:
    by_key = sorted(entries, key=lambda entry: str(entry.key))
    return tuple(one for entry in by_key for one in tensors(entry.key, entry.value))


def _inputs(key: str, info: Any) -> Iterator[Declared]:
    """An input of TensorFlow 1 may be several tensors: their names are those of TensorFlow's loader (load_v1_in_v2)."""
    if info.HasField("coo_sparse"):
        rank = len(info.shape.dim)
        yield Declared(f"{key}_indices", "int64", (-1, rank))
        yield Declared(f"{key}_values", _dtype(info), (-1,))
        yield Declared(f"{key}_dense_shape", "int64", (rank,))
    elif info.HasField("composite"):
        for number, component in enumerate(info.composite.components):
            yield Declared(f"{key}_component_{number}", _dtype(component), _shape(component))
    else:
        yield Declared(key, _dtype(info), _shape(info))


def _outputs(key: str, info: Any) -> Iterator[Declared]:
    """An output of several tensors has a type that no answer can have."""
    several = "sparse tensor" if info.HasField("coo_sparse") else "ragged tensor" if info.HasField("composite") else ""
    yield Declared(key, several or _dtype(info), _shape(info))


def _dtype(info: Any) -> str:
    return DTYPES.get(info.dtype, f"type {info.dtype}")


def _shape(info: Any) -> tuple[int, ...] | None:
    if info.shape.unknown_rank or not info.HasField("shape"):
        return None
    return tuple(dimension.size for dimension in info.shape.dim)


def _operations(graph: Any) -> Iterator[str]:
    yield from (node.op for node in graph.node)
    for function in graph.library.function:
        yield from (node.op for node in function.node)


@cache
def _classes() -> dict[str, Any]:
    return message_classes(_PACKAGE, _MESSAGES)
