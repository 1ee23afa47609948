"""Rows and columns of a predict request become one array for each input."""

from typing import Any

import pytest
from signatures import HALF_PLUS_TWO, NAMED, signature

from tfserving_front.errors import RestError
from tfserving_front.predict import read_request

HALF, MANY = signature(HALF_PLUS_TWO), signature(NAMED)
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


def test_rows_and_columns_of_the_same_values_are_the_same_inputs() -> None:
    rows, columns = read_request({"instances": ROWS}, MANY), read_request({"inputs": COLUMNS}, MANY)
    assert {name: array.shape for name, array in rows.arrays.items()} == {
        "tag": (2,),
        "signal": (2, 5),
        "sensor": (2, 2, 2),
    }
    for name, array in rows.arrays.items():
        assert array.tolist() == columns.arrays[name].tolist()
    assert (rows.rows, columns.rows) == (True, False)


@pytest.mark.parametrize("body", [{"instances": [1.0, 2.0]}, {"inputs": [1, 2]}, {"inputs": {"x": [1, 2]}}])
def test_a_single_input_needs_no_name(body: dict[str, Any]) -> None:
    assert read_request(body, HALF).arrays["x"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["", "serving_default"])
def test_the_default_signature_has_a_name_and_needs_none(name: str) -> None:
    assert read_request({"signature_name": name, "inputs": [1]}, HALF)


def test_a_model_of_another_signature_says_its_name() -> None:
    other = signature(HALF_PLUS_TWO + 'parameters { key: "TF_SIGNATURE_DEF" value { string_value: "score" } }')
    assert read_request({"signature_name": "score", "inputs": [1]}, other)
    with pytest.raises(RestError, match='"serving_default" not found in signature def'):
        read_request({"signature_name": "serving_default", "inputs": [1]}, other)


def test_an_optional_input_may_be_left_out() -> None:
    optional = signature(HALF_PLUS_TWO + 'input { name: "z" data_type: TYPE_FP32 dims: 1 optional: true }')
    for body in ({"instances": [{"x": [1]}]}, {"inputs": {"x": [1]}}, {"inputs": [1]}):
        assert list(read_request(body, optional).arrays) == ["x"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [1], "instances": [1]}, "expecting only one of"),
        ({"signature_name": 3, "inputs": [1]}, "'signature_name' key must be a string value"),
        ({"instances": 1.0}, "Expecting 'instances' to be a list"),
        ({"instances": []}, "with at least one value"),
        ({"instances": ROWS[0]}, "Expecting 'instances' to be a list"),
        ({"instances": [1, 2]}, "instances is a plain value/list, but the model has several inputs: tag, signal"),
        ({"inputs": [1, 2]}, "inputs is a plain value/list, but"),
        ({"instances": [ROWS[0], 1]}, "Expecting object but got list at item 1"),
        ({"instances": [ROWS[0], {"tag": "foo"}]}, "element: 1 of 'instances' list: keys must equal sensor,signal,tag"),
        ({"inputs": {"tag": ["foo"]}}, "Missing named input: signal in 'inputs' object"),
        ({"instances": [{**ROWS[0], "sensor": "a"}]}, "Failed to process input: sensor. Error: JSON Value"),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(RestError, match=message) as refused:
        read_request(body, MANY)
    assert refused.value.status == 400


def test_an_object_among_plain_rows_is_refused() -> None:
    with pytest.raises(RestError, match="Expecting value/list but got object at item 1"):
        read_request({"instances": [1, {"x": 1}]}, HALF)
