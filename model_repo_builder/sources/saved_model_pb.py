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

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

FILE = "saved_model.pb"
_PACKAGE = "saved_model_reader"
_TYPES = {"string": 9, "int64": 3, "int32": 5, "bool": 8}
# Message: its fields as (name, number, type, repeated); a type that is none of the above is another message.
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
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
# DataType of types.proto, as NumPy and TensorFlow name them.
DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
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
    """The file is no SavedModel, or none that can be served; the text says what is allowed."""


def read(path: Path) -> Signatures:
    """The graph for serving of a saved_model.pb; UnreadableError where there is none."""
    saved = _classes()["SavedModel"]()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError:
        raise UnreadableError("a saved_model.pb as tf.saved_model.save writes it") from None
    graphs = [graph for graph in saved.meta_graphs if "serve" in graph.info.tags]
    if not graphs:
        tags = [list(graph.info.tags) for graph in saved.meta_graphs]
        raise UnreadableError(f"a SavedModel with the tag serve (it has {tags or 'no graph'})")
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
    described: Any = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = described.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type, added.type_name = 11, f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }
