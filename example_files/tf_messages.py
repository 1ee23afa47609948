"""TensorFlow's tf.Example and TensorProto, and TensorFlow Serving's logged requests, as NumPy arrays.

The fields and their numbers are those of tensorflow/core/example/{example,feature}.proto,
tensorflow/core/framework/{tensor,tensor_shape,types}.proto and tensorflow_serving/apis/{prediction_log,predict,
classification,regression,input,model}.proto. Maps are written as the entries that they are on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError

from example_files.errors import ExampleFileError
from example_files.messages import DTYPES, Fields, message_classes
from example_files.wanted import OPEN, STRING, Input, Row, Wanted, fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MESSAGES: dict[str, Fields] = {
    "Example": (("features", 1, "Features", False),),
    "Features": (("feature", 1, "FeatureEntry", True),),
    "FeatureEntry": (("key", 1, "string", False), ("value", 2, "Feature", False)),
    "Feature": (
        ("bytes_list", 1, "BytesList", False),
        ("float_list", 2, "FloatList", False),
        ("int64_list", 3, "Int64List", False),
    ),
    "BytesList": (("value", 1, "bytes", True),),
    "FloatList": (("value", 1, "float", True),),
    "Int64List": (("value", 1, "int64", True),),
    "PredictionLog": (
        ("classify_log", 2, "ExamplesLog", False),
        ("regress_log", 3, "ExamplesLog", False),
        ("predict_log", 6, "PredictLog", False),
    ),
    "PredictLog": (("request", 1, "PredictRequest", False),),
    "PredictRequest": (("model_spec", 1, "ModelSpec", False), ("inputs", 2, "TensorEntry", True)),
    "ModelSpec": (("signature_name", 3, "string", False),),
    "TensorEntry": (("key", 1, "string", False), ("value", 2, "Tensor", False)),
    "ExamplesLog": (("request", 1, "ExamplesRequest", False),),
    "ExamplesRequest": (("model_spec", 1, "ModelSpec", False), ("input", 2, "Input", False)),
    "Input": (("example_list", 1, "ExampleList", False),),
    "ExampleList": (("examples", 1, "bytes", True),),
    "Tensor": (
        ("dtype", 1, "int32", False),
        ("tensor_shape", 2, "Shape", False),
        ("tensor_content", 4, "bytes", False),
        ("half_val", 13, "int32", True),
        ("float_val", 5, "float", True),
        ("double_val", 6, "double", True),
        ("int_val", 7, "int32", True),
        ("string_val", 8, "bytes", True),
        ("int64_val", 10, "int64", True),
        ("bool_val", 11, "bool", True),
        ("uint32_val", 16, "uint32", True),
        ("uint64_val", 17, "uint64", True),
    ),
    "Shape": (("dim", 2, "Dimension", True),),
    "Dimension": (("size", 1, "int64", False),),
}
# The field of a tensor that holds values one by one, by its DataType.
_VALUES = {
    1: "float_val",
    2: "double_val",
    3: "int_val",
    4: "int_val",
    5: "int_val",
    6: "int_val",
    7: "string_val",
    9: "int64_val",
    10: "bool_val",
    17: "int_val",
    19: "half_val",
    22: "uint32_val",
    23: "uint64_val",
}
LARGEST = 1 << 31
"""Numbers of a tensor: beyond it a shape is an error, not a request."""


@cache
def _classes() -> dict[str, Any]:
    return message_classes("example_files", _MESSAGES)


def _parsed(kind: str, data: bytes) -> Any:
    """The message, None where the bytes are none."""
    message = _classes()[kind]()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def rows(data: bytes, wanted: Wanted, where: str) -> Iterator[Row]:
    """The examples in a record: of one tf.Example, or of one logged request of TensorFlow Serving.

    A request to another signature, which has none of these inputs, gives none.
    """
    log = _parsed("PredictionLog", data)
    if log is not None and log.HasField("predict_log"):
        yield from _of_request(log.predict_log.request, wanted, where)
        return
    for kind in ("classify_log", "regress_log"):
        if log is not None and log.HasField(kind):
            for number, example in enumerate(getattr(log, kind).request.input.example_list.examples, 1):
                yield _of_example(example, wanted, f"{where}, example {number}")
            return
    yield _of_example(data, wanted, where)


def _of_request(request: Any, wanted: Wanted, where: str) -> Iterator[Row]:
    tensors = {entry.key: entry.value for entry in request.inputs}
    if not any(one.name in tensors for one in wanted.inputs):
        return
    missing = [one.name for one in wanted.inputs if one.name not in tensors]
    if missing:
        raise ExampleFileError(where, f"a request with {', '.join(sorted(tensors))}", f"the inputs {wanted.names}")
    arrays = {one.name: tensor(tensors[one.name], one.name, where) for one in wanted.inputs}
    if not wanted.batched:
        yield {one.name: fitted(arrays[one.name], one, where) for one in wanted.inputs}
        return
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise ExampleFileError(where, f"rows of the inputs: {counts}", "the same number of rows for each input")
    for row in range(next(iter(counts.values()))):
        yield {one.name: fitted(np.asarray(arrays[one.name][row]), one, where) for one in wanted.inputs}


def _of_example(data: bytes, wanted: Wanted, where: str) -> Row:
    """The features that have the inputs' names; all of it as bytes where the model parses such examples itself."""
    example = _parsed("Example", data)
    features = {entry.key: entry.value for entry in example.features.feature} if example is not None else {}
    if not features:
        raise ExampleFileError(
            where, "no tf.Example with features", "tf.Example, or PredictionLog of TensorFlow Serving"
        )
    text = wanted.sole_text
    if text is not None and text.name not in features:
        whole = np.empty(1, object)
        whole[0] = data
        return {text.name: fitted(whole, text, where)}
    missing = [one.name for one in wanted.inputs if one.name not in features]
    if missing:
        raise ExampleFileError(where, f"features {', '.join(sorted(features))}", f"the inputs {wanted.names}")
    return {one.name: _feature(features[one.name], one, where) for one in wanted.inputs}


def _feature(feature: Any, wanted: Input, where: str) -> NDArray[Any]:
    """A flat list of a feature in the shape of the input, which may leave one dimension open."""
    if feature.HasField("bytes_list"):
        array = np.empty(len(feature.bytes_list.value), object)
        array[:] = list(feature.bytes_list.value)
    elif feature.HasField("float_list"):
        array = np.array(feature.float_list.value, np.float32)
    else:
        array = np.array(feature.int64_list.value, np.int64)
    if array.dtype == object and wanted.dtype != STRING:
        raise ExampleFileError(where, f"{wanted.name} is a list of bytes", f"numbers, as the model takes {wanted}")
    if wanted.shape.count(OPEN) > 1:
        found = f"{wanted.name}, whose shape {list(wanted.shape)} a flat list doesn't tell"
        raise ExampleFileError(where, found, ".npz or JSONL for inputs with several open dimensions")
    try:
        return fitted(array.reshape(wanted.shape), wanted, where)
    except ValueError as error:
        if isinstance(error, ExampleFileError):
            raise
        raise ExampleFileError(
            where, f"{wanted.name} has {array.size} values", f"those of {list(wanted.shape)}"
        ) from None


def tensor(message: Any, name: str, where: str) -> NDArray[Any]:
    """A TensorProto as an array; texts as objects of bytes. The last of fewer values than the shape has is repeated."""
    if message.dtype not in _VALUES:
        raise ExampleFileError(where, f"{name} is of TensorFlow's type {message.dtype}", "numbers, bool and strings")
    dtype, field = DTYPES[message.dtype], _VALUES[message.dtype]
    shape = tuple(one.size for one in message.tensor_shape.dim)
    count = 1
    for size in shape:
        count *= size
    if not 0 <= count < LARGEST or any(size < 0 for size in shape):
        raise ExampleFileError(where, f"{name} has the shape {list(shape)}", "sizes that memory can hold")
    if message.tensor_content and dtype != STRING:
        return _of_content(message.tensor_content, dtype, shape, f"{where}, {name}")
    values = list(getattr(message, field))
    if dtype == STRING:
        array = np.empty(len(values), object)
        array[:] = values
    elif dtype == "float16":
        array = np.array(values, np.uint16).view(np.float16)
    else:
        array = np.array(values, dtype)
    if len(array) > count or (count and not len(array)):
        raise ExampleFileError(where, f"{name} has {len(array)} values", f"those of {list(shape)}")
    made: NDArray[Any] = array[np.minimum(np.arange(count), len(array) - 1)].reshape(shape)
    return made


def _of_content(content: bytes, dtype: str, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    try:
        return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)
    except ValueError:
        raise ExampleFileError(where, f"{len(content)} bytes", f"those of {dtype} {list(shape)}") from None
