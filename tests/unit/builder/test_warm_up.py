"""What a warm-up is made of: rows of the kept examples in turn, within a bound, in the bytes that Triton reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from example_files import kept
from example_files.wanted import Row
from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import config_pbtxt, warm_up
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor

TEXT, LENGTHS = Tensor("text/x:0", STRING, (2,)), Tensor("sequence", "float32", (OPEN,))
MIXED = Signature((TEXT, LENGTHS), (Tensor("score", "float32", ()),), warm_up=False)


def texts(*each: str) -> Any:
    made = np.empty(len(each), object)
    made[:] = [text.encode() for text in each]
    return made


ROWS = [
    {"text/x:0": texts("a", "bc"), "sequence": np.array([1, 2, 3], np.float32)},
    {"text/x:0": texts("", "def"), "sequence": np.array([4], np.float32)},
]


def variant(**changes: Any) -> Variant:
    return Variant.model_validate({"name": "own", "engine": "tensorflow", "max_batch_size": 8, **changes})


def configured(signature: Signature, rows: Sequence[Row], *, runtime: str = "python", **changes: Any) -> Any:
    return config_pbtxt.model_config(variant(**changes), signature, runtime, rows=rows)


def test_batches_are_made_of_rows_in_turn_each_of_its_own_shape() -> None:
    message = configured(MIXED, ROWS, preferred_batch_sizes=[4])
    assert [(sample.batch_size, list(sample.inputs["sequence"].dims)) for sample in message.model_warmup] == [
        (1, [3]),
        (4, [1]),
    ]
    files = {data.input_data_file for sample in message.model_warmup for data in sample.inputs.values()}
    assert files == {"row0.input0", "row0.input1", "row1.input0", "row1.input1"}


def test_the_files_hold_the_bytes_that_triton_reads(tmp_path: Path) -> None:
    warm_up.write(tmp_path, configured(MIXED, ROWS), MIXED, ROWS)
    files = {path.name: path.read_bytes() for path in (tmp_path / "warmup").iterdir()}
    assert files == {
        "row0.input0": b"\x01\0\0\0a\x02\0\0\0bc",
        "row0.input1": np.array([1, 2, 3], "<f4").tobytes(),
    }


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
def test_numbers_of_every_type_come_back_from_the_kept_sample(dtype: str, tmp_path: Path) -> None:
    signature = Signature((Tensor("x", dtype, (3,)),), (Tensor("y", dtype, (3,)),))
    given = np.array([1, 0, 1]).astype(dtype)
    kept.write(tmp_path / kept.FILE, [{"x": given}])
    found = warm_up.rows(tmp_path / kept.FILE, signature)
    warm_up.write(tmp_path, configured(signature, found), signature, found)
    assert np.frombuffer((tmp_path / "warmup" / "row0.input0").read_bytes(), dtype).tolist() == given.tolist()


def test_no_more_than_a_few_rows_are_taken_of_a_sample(tmp_path: Path) -> None:
    kept.write(tmp_path / kept.FILE, ROWS * 16)
    assert len(warm_up.rows(tmp_path / kept.FILE, MIXED)) == warm_up.MOST_ROWS


def test_beyond_the_bound_triton_makes_numbers_up_where_the_model_takes_them() -> None:
    """Triton holds a row once for each request: a tenth of the bound is too much for a batch of sixteen."""
    rows = [{"x": np.ones(warm_up.MOST_BYTES // 40, np.float32)}]
    tensor = Tensor("x", "float32", (len(rows[0]["x"]),))
    for answers_zeros, expected in ((True, ["row0.input0", ""]), (False, ["row0.input0"])):
        signature = Signature((tensor,), (tensor,), warm_up=answers_zeros)
        message = configured(signature, rows, max_batch_size=16, preferred_batch_sizes=[16])
        assert [sample.inputs["x"].input_data_file for sample in message.model_warmup] == expected


def test_a_model_without_a_batch_is_warmed_up_with_one_example() -> None:
    rows = [{"text/x:0": texts("a", "b")[None], "sequence": np.ones((1, 2))}]
    (sample,) = configured(MIXED.unbatched(), rows).model_warmup
    assert (sample.name, sample.batch_size, list(sample.inputs["sequence"].dims)) == ("alone", 1, [1, 2])


def test_texts_without_examples_are_not_warmed_up() -> None:
    assert not configured(MIXED, []).model_warmup


def test_rows_without_a_value_are_left_out(tmp_path: Path) -> None:
    empty = {"text/x:0": texts("a", "b"), "sequence": np.empty(0, np.float32)}
    kept.write(tmp_path / kept.FILE, [empty, ROWS[0]])
    assert len(warm_up.rows(tmp_path / kept.FILE, MIXED)) == 1


def test_a_number_alone_is_warmed_up_where_model_py_can_take_its_dimension_away() -> None:
    number = Signature((Tensor("age", "int32", ()),), (Tensor("score", "float32", ()),))
    rows = [{"age": np.array(7, np.int32)}]
    (sample,) = configured(number, rows).model_warmup
    assert list(sample.inputs["age"].dims) == [1]
    assert not configured(number, rows, runtime="ngc").model_warmup


def test_a_variant_without_a_warm_up_has_no_files(tmp_path: Path) -> None:
    message = configured(MIXED, ROWS, warm_up=False)
    warm_up.write(tmp_path, message, MIXED, ROWS)
    assert not message.model_warmup
    assert not (tmp_path / "warmup").exists()
