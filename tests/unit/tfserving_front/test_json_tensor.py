"""JSON values become arrays of the model's types and back, and whatever does not fit is said."""

import json
import math
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as pb

from tfserving_front.errors import BadRequestError
from tfserving_front.json_tensor import to_array, to_json
from tfserving_front.signature import DTYPES

FLOAT, INT, BYTE = DTYPES[pb.TYPE_FP32], DTYPES[pb.TYPE_INT32], DTYPES[pb.TYPE_UINT8]
BOOL, STRING = DTYPES[pb.TYPE_BOOL], DTYPES[pb.TYPE_STRING]


@pytest.mark.parametrize(
    ("value", "shape"),
    [(1.0, ()), ([], (0,)), ([1, 2.5], (2,)), ([[[1], [2]], [[3], [4]]], (2, 2, 1)), ([[], []], (2, 0))],
)
def test_the_shape_is_how_the_lists_are_nested(value: object, shape: tuple[int, ...]) -> None:
    array = to_array(value, FLOAT)
    assert array.shape == shape and array.dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=lambda dtype: dtype.triton)
def test_each_type_survives_the_way_there_and_back(dtype: Any) -> None:
    value: list[Any] = [[True], [False]] if dtype is BOOL else [["a"], ["é"]] if dtype is STRING else [[0], [7]]
    array = to_array(value, dtype)
    assert array.dtype == dtype.numpy
    assert to_json(array, "x") == value


def test_values_that_json_lacks_are_kept() -> None:
    array = to_array(json.loads("[NaN, Infinity, -Infinity]"), FLOAT)
    assert math.isnan(array[0]) and array[1:].tolist() == [math.inf, -math.inf]
    assert json.dumps(to_json(array, "x")) == "[NaN, Infinity, -Infinity]"


def test_a_float_is_written_as_short_as_it_reads_back() -> None:
    assert to_json(np.array([0.2, 1e-30, 16777216], np.float32), "x") == [0.2, 1e-30, 16777216.0]


def test_bytes_come_in_base64_and_go_in_base64_where_the_name_says_bytes() -> None:
    array = to_array([{"b64": "/9g="}, {"b64": "YQ"}, "a"], STRING)
    assert array.tolist() == [b"\xff\xd8", b"a", b"a"]
    assert to_json(array[1:], "image_bytes") == [{"b64": "YQ=="}, {"b64": "YQ=="}]


def test_strings_that_are_no_text_go_in_base64() -> None:
    assert to_json(np.array([b"a", b"\xff"], np.object_), "tag") == ["a", {"b64": "/w=="}]


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
    ],
)
def test_a_value_that_does_not_fit_is_named(value: object, dtype: Any, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        to_array(value, dtype)
