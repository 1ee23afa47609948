"""Examples of different shapes go through calibration and agreement as they are: batches are of one shape each."""

import numpy as np

from model_repo_builder.examples.arrays import together
from model_repo_builder.examples.kinds import alike, as_sent, batches, count_of, cycled, rows_of
from model_repo_builder.signature import Signature, Tensor

LENGTHS = [2, 2, 2, 3, 2]
PARTS = [np.full((length, 4), number, np.float64) for number, length in enumerate(LENGTHS)]
EXAMPLES = {"x": together(PARTS), "n": np.arange(5)}
SIGNATURE = Signature((Tensor("x", "float32", (-1, 4)), Tensor("n", "int64", ())), (Tensor("y", "float32", ()),))


def test_a_batch_ends_where_another_shape_begins() -> None:
    made = list(batches(EXAMPLES, 2))
    assert [batch["x"].shape for batch in made] == [(2, 2, 4), (1, 2, 4), (1, 3, 4), (1, 2, 4)]
    assert [batch["n"].tolist() for batch in made] == [[0, 1], [2], [3], [4]]
    assert sum(map(count_of, made)) == count_of(EXAMPLES) == 5


def test_what_must_be_joined_is_of_the_first_shape() -> None:
    assert alike(EXAMPLES)["n"].tolist() == [0, 1, 2, 4] and alike(EXAMPLES)["x"].shape == (4, 2, 4)
    assert cycled(EXAMPLES, 6)["n"].tolist() == [0, 1, 2, 4, 0, 1]


def test_each_example_is_sent_in_the_dtype_of_its_input() -> None:
    sent = as_sent(EXAMPLES, SIGNATURE)
    for number, row in enumerate(rows_of(sent)):
        assert row["x"].dtype == np.float32 and row["x"].shape == (LENGTHS[number], 4)
        assert row["n"].dtype == np.int64 and row["n"].shape == () and row["n"] == number


def test_examples_of_one_shape_are_one_array() -> None:
    texts = [np.array([b"a"], object), np.array([b"b"], object)]
    assert together(texts).shape == (2, 1) and together(PARTS[:3]).shape == (3, 2, 4)
