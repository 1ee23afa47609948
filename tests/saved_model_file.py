"""A saved_model.pb with a signature and no graph, written without TensorFlow: enough for what only reads signatures."""

from pathlib import Path

FLOAT = 1
_VARINT, _BYTES = 0, 2


def write(folder: Path, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> Path:
    """Write `folder`/saved_model.pb: `serving_default` with FP32 tensors of these shapes, -1 being open.

    Field numbers are those of TensorFlow's saved_model.proto and meta_graph.proto.
    """
    signature = b"".join(
        _field(number, _entry(name, _tensor(name, shape)))
        for number, tensors in ((1, inputs), (2, outputs))
        for name, shape in tensors.items()
    )
    signature += _field(3, b"tensorflow/serving/predict")
    meta_graph = _field(1, _field(4, b"serve")) + _field(5, _entry("serving_default", signature))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "saved_model.pb"
    file.write_bytes(_number(1, 1) + _field(2, meta_graph))
    return file


def _tensor(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(2, _number(1, size)) for size in shape)
    return _field(1, f"{name}:0".encode()) + _number(2, FLOAT) + _field(3, dimensions)


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
