"""JSON values become arrays of the model's types, and whatever does not fit is said."""

from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as pb

from tfserving_front.errors import BadRequestError
from tfserving_front.json_tensor import to_array
from tfserving_front.signature import DTYPES

FLOAT, INT, BYTE = DTYPES[pb.TYPE_FP32], DTYPES[pb.TYPE_INT32], DTYPES[pb.TYPE_UINT8]
BOOL, STRING = DTYPES[pb.TYPE_BOOL], DTYPES[pb.TYPE_STRING]


def nested(depth: int) -> Any:
    """A number in that many lists."""
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "shape"),
    [(1.0, ()), ([], (0,)), ([1, 2.5], (2,)), ([[[1], [2]], [[3], [4]]], (2, 2, 1)), ([[], []], (2, 0))],
)
def test_the_shape_is_how_the_lists_are_nested(value: object, shape: tuple[int, ...]) -> None:
    array = to_array(value, FLOAT)
    assert array.shape == shape and array.dtype == np.float32


def test_bytes_come_in_base64() -> None:
    array = to_array([{"b64": "/9g="}, {"b64": "YQ"}, "a"], STRING)
    assert array.tolist() == [b"\xff\xd8", b"a", b"a"]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([1, "a"], FLOAT, 'JSON Value: "a" Type: String is not of expected type: float'),
        ([True], FLOAT, "JSON Value: true Type: Bool is not of expected type: float"),
        ([None], FLOAT, "JSON Value: null Type: Null is not of expected type: float"),
        ([1.0], INT, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ([1], BOOL, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ([1], STRING, "JSON Value: 1 Type: Number is not of expected type: string"),
        ([{"x": 1}], STRING, 'JSON Value: {"x": 1} Type: Object is not of expected type: string'),
        ([{"b64": "*"}], STRING, "Unable to base64 decode"),
        ([256], BYTE, "JSON Value: 256 does not fit uint8"),
        ([-1], BYTE, "JSON Value: -1 does not fit uint8"),
        ([[1], [1, 2]], FLOAT, r"lists of different sizes at level: 1 \(1, 2\)"),
        ([1, [2]], FLOAT, "values beside lists at level: 1"),
        ([10**400], FLOAT, "does not fit float"),
        (nested(33), FLOAT, "lists at level: 32, more than a tensor has dimensions"),
        (nested(900), FLOAT, "lists at level: 32, more than a tensor has dimensions"),
        ([{"x": nested(900)}], STRING, "Type: Object is not of expected type: string"),
        (["a" * 100_000], FLOAT, 'JSON Value: "a{255} Type: String'),
    ],
)
def test_a_value_that_does_not_fit_is_named(value: object, dtype: Any, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        to_array(value, dtype)
