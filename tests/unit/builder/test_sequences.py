"""Synthetic sequences look like questions about a text, and are the same for the same seed."""

import numpy as np
import pytest

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import sequences
from model_repo_builder.examples.sequences import BEGIN, IDS, MASK, PADDING, SEPARATOR, TYPES, synthetic
from model_repo_builder.signature import Signature, Tensor

LENGTH, VOCABULARY = 384, 30522
SAMPLE = [synthetic(1, index, LENGTH, VOCABULARY) for index in range(200)]


def test_the_same_seed_and_index_give_the_same_sequence() -> None:
    again = synthetic(1, 3, LENGTH, VOCABULARY)
    assert all(np.array_equal(again[name], SAMPLE[3][name]) for name in (IDS, MASK, TYPES))
    assert not np.array_equal(synthetic(2, 3, LENGTH, VOCABULARY)[IDS], SAMPLE[3][IDS])


def test_a_question_and_a_text_stand_between_separators() -> None:
    for one in SAMPLE:
        used = int(one[MASK].sum())
        first, last = np.flatnonzero(one[IDS] == SEPARATOR)
        assert one[IDS][0] == BEGIN and last == used - 1
        assert one[TYPES].tolist() == [0] * (first + 1) + [1] * (used - first - 1) + [0] * (LENGTH - used)


def test_padding_is_masked_and_nothing_else() -> None:
    for one in SAMPLE:
        assert np.array_equal(one[IDS] != PADDING, one[MASK] == 1)


def test_lengths_differ_from_an_eighth_to_all_of_it() -> None:
    used = [int(one[MASK].sum()) for one in SAMPLE]
    assert min(used) < LENGTH / 5 and max(used) > LENGTH * 0.95


def test_frequent_words_are_much_more_frequent_than_rare_ones() -> None:
    words = np.concatenate([one[IDS][one[IDS] >= sequences.FIRST_WORD] for one in SAMPLE])
    first_tenth = sequences.FIRST_WORD + (VOCABULARY - sequences.FIRST_WORD) / 10
    assert 0.6 < np.mean(words < first_tenth) < 0.95


@pytest.mark.parametrize("vocabulary", [200, 1000, 5000])
@pytest.mark.parametrize("length", [16, 64])
def test_every_number_is_of_the_vocabulary(length: int, vocabulary: int) -> None:
    ids = np.stack([synthetic(1, index, length, vocabulary)[IDS] for index in range(50)])
    assert ids.min() >= 0 and ids.max() < vocabulary


def test_a_model_gets_the_inputs_that_it_has() -> None:
    inputs = (Tensor(IDS, "int32", (64,), (0, 999)), Tensor(MASK, "int32", (64,), (1, 1)))
    loaded = sequences.load("synthetic:1", "agreement.sequences", 3, Signature(inputs, ()), 2)
    assert {name: array.shape for name, array in loaded.items()} == {IDS: (3, 64), MASK: (3, 64)}
    assert np.array_equal(loaded[IDS][0], synthetic(1, 2, 64, 1000)[IDS])


def test_what_is_no_seed_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"agreement\.sequences: texts; allowed: synthetic:SEED"):
        sequences.check("texts", "agreement.sequences")
