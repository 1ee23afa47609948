"""A saved_model.pb with a signature and a graph that does nothing, written without TensorFlow.

It is enough for what only reads signatures.
"""

from collections.abc import Mapping
from pathlib import Path

# Of TensorFlow's types.proto.
DTYPES = {"float32": 1, "int32": 3, "uint8": 4, "int8": 6, "string": 7, "bool": 10, "uint64": 23}
_VARINT, _BYTES = 0, 2
Shapes = Mapping[str, tuple[int, ...] | None]


def write(
    folder: Path,
    inputs: Shapes,
    outputs: Shapes,
    *,
    dtype: str = "float32",
    operations: tuple[str, ...] = (),
    tags: tuple[str, ...] = ("serve",),
) -> Path:
    """Write `folder`/saved_model.pb: `serving_default` with tensors of these shapes.

    In a shape -1 is an open size; None is an unknown rank. Inputs are of `dtype`, outputs float32; the graph has a node
    of each of the operations. Field numbers are those of TensorFlow's saved_model.proto, meta_graph.proto and
    graph.proto.
    """
    signature = b"".join(
        _field(number, _entry(name, _tensor(name, shape, DTYPES[kind])))
        for number, kind, tensors in ((1, dtype, inputs), (2, "float32", outputs))
        for name, shape in tensors.items()
    )
    signature += _field(3, b"tensorflow/serving/predict")
    graph = b"".join(_field(1, _field(1, name.encode()) + _field(2, name.encode())) for name in operations)
    info = b"".join(_field(4, tag.encode()) for tag in tags)
    meta_graph = _field(1, info) + _field(2, graph) + _field(5, _entry("serving_default", signature))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "saved_model.pb"
    file.write_bytes(_number(1, 1) + _field(2, meta_graph))
    return file


def _tensor(name: str, shape: tuple[int, ...] | None, dtype: int) -> bytes:
    dimensions = _number(3, 1) if shape is None else b"".join(_field(2, _number(1, size)) for size in shape)
    return _field(1, f"{name}:0".encode()) + _number(2, dtype) + _field(3, dimensions)


def _entry(key: str, value: bytes) -> bytes:
    return _field(1, key.encode()) + _field(2, value)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value % (1 << 64))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
