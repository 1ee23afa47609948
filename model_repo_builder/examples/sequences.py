"""Synthetic sequences of tokens, made like questions about a text: for calibration and agreement of language models.

They are numbers, not words: a vocabulary would have to be downloaded. What a network's speed, ranges and rounding
depend on is there: the layout with its separators, lengths that differ, padding with its mask, and frequent tokens
that are much more frequent than rare ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from model_repo_builder.errors import InvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.signature import Signature

ALLOWED = "synthetic:SEED"
# Inputs by the names that transformers gives them.
IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
# Of the published uncased vocabulary of BERT, which DistilBERT shares; words begin at 999.
PADDING, BEGIN, SEPARATOR, FIRST_WORD = 0, 101, 102, 999
QUESTION_TOKENS = (6, 20)
# The shortest sequence is so many times shorter than the longest.
SHORTEST = 8
# The fewest tokens and the smallest vocabulary that leave room for such a sequence.
LEAST_LENGTH, LEAST_VOCABULARY = 16, 200


def check(source: str, field: str) -> None:
    """InvalidError on `field` where `source` is not `synthetic:SEED`."""
    _seed(source, field)


def load(source: str, field: str, count: int, signature: Signature, skip: int) -> dict[str, NDArray[np.int64]]:
    """`count` sequences for the inputs of `signature`, each int64 [n, length], after the first `skip`."""
    seed = _seed(source, field)
    ids = next(tensor for tensor in signature.inputs if tensor.name == IDS)
    assert ids.values is not None
    made = [synthetic(seed, skip + index, ids.shape[0], ids.values[1] + 1) for index in range(count)]
    return {tensor.name: np.stack([one[tensor.name] for one in made]) for tensor in signature.inputs}


def synthetic(seed: int, index: int, length: int, vocabulary: int) -> dict[str, NDArray[np.int64]]:
    """One sequence: [BEGIN] question [SEPARATOR] text [SEPARATOR] padding; the same for the same seed and index.

    Words are drawn by their rank r with a frequency of 1/r (Zipf 1949), as published vocabularies are sorted.
    """
    random = np.random.default_rng([seed, index])
    used = int(random.integers(max(length // SHORTEST, LEAST_LENGTH // 2), length + 1))
    question = min(int(random.integers(*QUESTION_TOKENS)), used - 3)
    first = FIRST_WORD if vocabulary > 2 * FIRST_WORD else SEPARATOR + 1
    words = first + np.exp(random.uniform(0, np.log(vocabulary - first), used)).astype(np.int64) - 1
    position = np.arange(length)
    ids = np.full(length, PADDING)
    ids[:used] = words
    ids[[0, question + 1, used - 1]] = BEGIN, SEPARATOR, SEPARATOR
    mask = position < used
    types = (position > question + 1) & mask
    return {IDS: ids, MASK: mask.astype(np.int64), TYPES: types.astype(np.int64)}


def _seed(source: str, field: str) -> int:
    match = re.fullmatch(r"synthetic:(\d{1,9})", source)
    if match is None:
        raise InvalidError(field, source, ALLOWED)
    return int(match[1])
