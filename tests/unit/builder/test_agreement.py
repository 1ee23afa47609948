"""Agreement counts what a client would notice, and a threshold stops a variant that strays."""

import numpy as np
import pytest

from model_repo_builder.agreement import Result, compare, run, shortfall
from model_repo_builder.plan.schema import Threshold

REFERENCE = {"scores": np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.7, 0.3]], np.float32)}


def test_equal_outputs_agree_fully() -> None:
    assert compare(REFERENCE, REFERENCE, ["scores"], "images") == Result(
        examples=4, top1=1.0, max_abs_diff=0.0, mean_abs_diff=0.0
    )


def test_differences_and_changed_classes_are_counted() -> None:
    changed = REFERENCE["scores"].copy()
    changed[2] = [0.6, 0.4]
    result = compare(REFERENCE, {"scores": changed}, ["scores"], "images")
    assert result.top1 == 0.75
    assert result.max_abs_diff == pytest.approx(0.2)
    assert result.mean_abs_diff == pytest.approx(0.4 / 8)


def test_outputs_of_small_batches_are_joined_in_order() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    joined = run(lambda batch: {"scores": batch["image"][:, 0, 0]}, {"image": images})
    assert joined["scores"].ravel().tolist() == list(range(20))


def test_an_answer_of_two_outputs_agrees_where_both_do() -> None:
    logits = {name: np.eye(4)[list(order)] for name, order in (("start", (0, 1, 2, 3)), ("end", (1, 1, 3, 3)))}
    changed = logits | {"end": np.eye(4)[[1, 2, 3, 3]]}
    assert compare(logits, changed, ["start", "end"], "sequences").top1 == 0.75
    assert compare(logits, changed, ["start"], "sequences").top1 == 1.0


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (Threshold(min_top1=0.9), "agreement.min_top1: 0.750 of 4 images; allowed: at least 0.9"),
        (Threshold(max_abs_diff=0.1), "agreement.max_abs_diff: 0.2 on 4 images; allowed: at most 0.1"),
        (Threshold(max_mean_abs_diff=0.01), "agreement.max_mean_abs_diff: 0.05 on 4 images; allowed: at most 0.01"),
    ],
)
def test_a_missed_threshold_is_named(threshold: Threshold, message: str) -> None:
    result = Result(examples=4, top1=0.75, max_abs_diff=0.2, mean_abs_diff=0.05)
    assert shortfall(result, threshold, pretrained=True) == message


def test_a_threshold_that_is_met_says_nothing() -> None:
    result = Result(examples=4, top1=0.75, max_abs_diff=0.2, mean_abs_diff=0.05)
    assert (
        shortfall(result, Threshold(min_top1=0.75, max_abs_diff=0.2, max_mean_abs_diff=0.05), pretrained=True) is None
    )


def test_random_weights_have_a_threshold_of_their_own() -> None:
    result = Result(examples=4, top1=0.75, max_abs_diff=0.2, mean_abs_diff=0.05)
    threshold = Threshold(min_top1=0.9, min_top1_random_weights=0.5)
    assert shortfall(result, threshold, pretrained=False) is None
    assert shortfall(result, threshold, pretrained=True) is not None
    stricter = Threshold(min_top1_random_weights=0.8)
    assert shortfall(result, stricter, pretrained=False) == (
        "agreement.min_top1_random_weights: 0.750 of 4 images; allowed: at least 0.8"
    )


def test_nan_never_meets_a_threshold() -> None:
    result = compare(REFERENCE, {"scores": np.full((4, 2), np.nan)}, ["scores"], "images")
    assert shortfall(result, Threshold(max_abs_diff=1e9), pretrained=True) is not None
