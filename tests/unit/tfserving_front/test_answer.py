"""The pieces of an answer are, together, the JSON of its tensors."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import serialize_byte_tensor

from tfserving_front.answer import check_rows, write_answer
from tfserving_front.errors import RestError
from tfserving_front.json_tensor import to_array
from tfserving_front.outputs import Output
from tfserving_front.signature import DTYPES, Dtype

FLOAT, HALF, STRING, BOOL = (DTYPES[one] for one in (pb.TYPE_FP32, pb.TYPE_FP16, pb.TYPE_STRING, pb.TYPE_BOOL))


def output(values: Any, dtype: Dtype = FLOAT) -> Output:
    """An output as Triton sends it."""
    array = np.array(values, dtype.numpy)
    raw = serialize_byte_tensor(array).item() if dtype.is_string and array.size else array.tobytes()
    return Output(dtype, array.shape, raw)


def written(outputs: dict[str, Output], rows: bool) -> Any:
    """The answer, read again."""
    return json.loads(b"".join(write_answer([outputs], rows)))


def test_answers_have_names_only_where_there_are_several() -> None:
    y, z = output([[2.5], [3]]), output([b"a", b"b"], STRING)
    assert written({"y": y}, rows=True) == {"predictions": [[2.5], [3.0]]}
    assert written({"y": y}, rows=False) == {"outputs": [[2.5], [3.0]]}
    both = [{"y": [2.5], "z": "a"}, {"y": [3.0], "z": "b"}]
    assert written({"y": y, "z": z}, rows=True) == {"predictions": both}
    assert written({"y": y, "z": z}, rows=False) == {"outputs": {"y": [[2.5], [3.0]], "z": ["a", "b"]}}


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("piece", [1, 3, 1 << 16])
def test_parts_of_a_batch_are_one_answer_whatever_a_piece_holds(
    rows: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfserving_front.answer._PIECE", piece)
    y = np.arange(36, dtype=np.float32).reshape(6, 2, 3)
    z = np.array([f"text {row}".encode() for row in range(6)], np.object_)
    parts = [{"y": output(y[cut]), "z": output(z[cut], STRING)} for cut in (slice(4), slice(4, 4), slice(4, 6))]
    answer = json.loads(b"".join(write_answer(parts, rows)))
    texts = [item.decode() for item in z]
    named = [{"y": row.tolist(), "z": text} for row, text in zip(y, texts, strict=True)]
    assert answer == ({"predictions": named} if rows else {"outputs": {"y": y.tolist(), "z": texts}})


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=lambda dtype: dtype.triton)
def test_each_type_survives_the_way_there_and_back(dtype: Dtype) -> None:
    value: list[Any] = [[True], [False]] if dtype is BOOL else [["a"], ["é"]] if dtype is STRING else [[0], [7]]
    array = to_array(value, dtype)
    assert array.dtype == dtype.numpy
    assert written({"x": output(array, dtype)}, rows=False) == {"outputs": value}


@pytest.mark.parametrize("dtype", [FLOAT, HALF], ids=["float", "half"])
def test_a_float_is_written_as_short_as_it_reads_back(dtype: Dtype) -> None:
    assert written({"x": output([0.2, 6e-5, 2048], dtype)}, rows=False) == {"outputs": [0.2, 6e-5, 2048.0]}


@pytest.mark.parametrize("rows", [True, False])
def test_values_that_json_lacks_are_words(rows: bool) -> None:
    values = output([math.nan, 1.5, math.inf, -math.inf])
    assert b"[NaN,1.5,Infinity,-Infinity]" in b"".join(write_answer([{"x": values}], rows))
    both = b"".join(write_answer([{"x": values, "y": output([b"null"] * 4, STRING)}], rows))
    assert (b'{"x":NaN,"y":"null"},{"x":1.5,"y":"null"},{"x":Infinity' in both) == rows
    assert str(json.loads(both)).count("null") == 4


def test_bytes_go_in_base64_where_the_name_says_bytes_or_where_they_are_no_text() -> None:
    values = output([b"a", b"\xff"], STRING)
    assert written({"tag": values}, rows=False) == {"outputs": ["a", {"b64": "/w=="}]}
    assert written({"image_bytes": values}, rows=False) == {"outputs": [{"b64": "YQ=="}, {"b64": "/w=="}]}


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3), ()])
def test_tensors_without_elements_and_without_dimensions_are_written(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    assert written({"x": output(array)}, rows=False) == {"outputs": array.tolist()}


@pytest.mark.parametrize("shape", [(), (3,)])
def test_outputs_without_a_common_batch_cannot_be_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(RestError, match="different batch sizes or none"):
        check_rows({"y": output(np.zeros(2)), "z": output(np.zeros(shape))})


@settings(max_examples=50)
@given(arrays.arrays(np.float32, arrays.array_shapes(max_dims=4, max_side=4)), st.booleans())
def test_every_float_reads_back_as_itself(array: Any, rows: bool) -> None:
    (answer,) = written({"x": output(array)}, rows).values()
    np.testing.assert_array_equal(np.float32(answer), array)
