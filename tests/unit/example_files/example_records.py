"""Records as TensorFlow writes them, from the fields of the messages: the tests' environment has no TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from example_files.tf_messages import _classes
from example_files.tf_record import record

Message = Any


def example(**features: Sequence[Any]) -> bytes:
    """A serialised tf.Example: of bytes, whole numbers, or others."""
    message = _classes()["Example"]()
    for name, values in features.items():
        entry = message.features.feature.add(key=name)
        if isinstance(values[0], bytes):
            entry.value.bytes_list.value.extend(values)
        elif isinstance(values[0], int):
            entry.value.int64_list.value.extend(values)
        else:
            entry.value.float_list.value.extend(values)
    return bytes(message.SerializeToString())


def tensor(message: Message, array: Any) -> None:
    """Fill a TensorProto as tf.make_tensor_proto does: float32 as content, texts one by one."""
    for size in array.shape:
        message.tensor_shape.dim.add(size=size)
    if array.dtype == np.float32:
        message.dtype, message.tensor_content = 1, array.tobytes()
    else:
        message.dtype = 7
        message.string_val.extend(array.ravel().tolist())


def predict(signature: str = "serving_default", **inputs: Any) -> bytes:
    """A serialised PredictionLog of a predict request."""
    log = _classes()["PredictionLog"]()
    log.predict_log.request.model_spec.signature_name = signature
    for name, array in inputs.items():
        tensor(log.predict_log.request.inputs.add(key=name).value, array)
    return bytes(log.SerializeToString())


def classify(*examples: bytes) -> bytes:
    """A serialised PredictionLog of a classify request."""
    log = _classes()["PredictionLog"]()
    log.classify_log.request.input.example_list.examples.extend(examples)
    return bytes(log.SerializeToString())


def write(path: Path, *records: bytes) -> Path:
    """A TFRecord file."""
    path.write_bytes(b"".join(map(record, records)))
    return path
