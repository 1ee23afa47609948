"""JSON values become arrays of the model's types, and whatever does not fit is said."""

from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as pb

from tfserving_front.errors import BadRequestError
from tfserving_front.json_tensor import to_array
from tfserving_front.signature import DTYPES

FLOAT, INT, BYTE = DTYPES[pb.TYPE_FP32], DTYPES[pb.TYPE_INT32], DTYPES[pb.TYPE_UINT8]
HALF, DOUBLE = DTYPES[pb.TYPE_FP16], DTYPES[pb.TYPE_FP64]
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
    ("value", "dtype"),
    [
        ([2**24 - 1, -(2**24) + 1, 16777217.0, 3.4e38, float("inf"), float("nan")], FLOAT),
        ([2**53 - 1, 1e308, float("-inf")], DOUBLE),
        ([4097, 65504, float("inf")], HALF),
    ],
)
def test_floats_are_rounded_and_infinity_has_to_be_said(value: list[float], dtype: Any) -> None:
    np.testing.assert_array_equal(to_array(value, dtype), np.array(value, np.float64).astype(dtype.numpy))


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
        ([10**400], FLOAT, "Cannot convert JSON value: 1000.* to float without loss of precision."),
        ([1.0, 1e39], FLOAT, r"Cannot convert JSON value: 1e\+39 to float without loss of precision."),
        ([float("-inf"), -3.5e38], FLOAT, r"Cannot convert JSON value: -3.5e\+38 to float without"),
        ([0.5, 2**24], FLOAT, "Cannot convert JSON value: 16777216 to float without loss of precision."),
        ([-(2**53)], DOUBLE, "Cannot convert JSON value: -9007199254740992 to double without loss of precision."),
        ([1e5], HALF, "Cannot convert JSON value: 100000.0 to half without loss of precision."),
        (nested(33), FLOAT, "lists at level: 32, more than a tensor has dimensions"),
        (nested(900), FLOAT, "lists at level: 32, more than a tensor has dimensions"),
        ([{"x": nested(900)}], STRING, "Type: Object is not of expected type: string"),
        (["a" * 100_000], FLOAT, 'JSON Value: "a{255} Type: String'),
    ],
)
def test_a_value_that_does_not_fit_is_named(value: object, dtype: Any, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        to_array(value, dtype)
