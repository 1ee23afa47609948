"""Agreement counts what a client would notice, and a threshold stops a variant that strays."""

from typing import Any

import numpy as np
import pytest

from model_repo_builder.agreement import (
    TF32_ROUNDING,
    Result,
    compare,
    methods,
    more_than_rounding,
    run,
    shortfall,
)
from model_repo_builder.plan.schema import Threshold
from model_repo_builder.signature import Signature, Tensor

SCORES = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.7, 0.3]], np.float32)
IMAGE = Tensor("image", "float32", (8, 8, 3))


def signature(*outputs: tuple[str, str, tuple[int, ...]]) -> Signature:
    return Signature((IMAGE,), tuple(Tensor(*output) for output in outputs), sample_kind="images")


CLASSES = signature(("scores", "float32", (2,)))


def result_of(reference: Any, candidate: Any, described: Signature, **chosen: Any) -> Result:
    return compare(reference, candidate, described, chosen, "images")


def test_equal_outputs_agree_fully() -> None:
    result = result_of({"scores": SCORES}, {"scores": SCORES}, CLASSES)
    assert (result.examples, result.top1, result.max_abs_diff, result.mean_abs_diff) == (4, 1.0, 0.0, 0.0)
    assert result.warnings == ()


def test_differences_and_changed_classes_are_counted() -> None:
    changed = SCORES.copy()
    changed[2] = [0.6, 0.4]
    result = result_of({"scores": SCORES}, {"scores": changed}, CLASSES)
    assert result.top1 == 0.75
    assert result.max_abs_diff == pytest.approx(0.2)
    assert result.mean_abs_diff == pytest.approx(0.4 / 8)


def test_outputs_of_small_batches_are_joined_in_order() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    joined = run(lambda batch: {"scores": batch["image"][:, 0, 0]}, {"image": images}, CLASSES)
    assert np.ravel(joined["scores"]).tolist() == list(range(20))


def test_a_batch_whose_rows_are_missing_is_refused() -> None:
    images = np.zeros((5, 8, 8, 3), np.float32)
    with pytest.raises(ValueError, match=r"output scores has the shape \[1, 2\] for a batch of 5"):
        run(lambda batch: {"scores": SCORES[:1]}, {"image": images}, CLASSES)


def test_an_answer_of_two_outputs_agrees_where_both_do() -> None:
    both = signature(("start", "float32", (4,)), ("end", "float32", (4,)))
    logits = {name: np.eye(4)[list(order)] for name, order in (("start", (0, 1, 2, 3)), ("end", (1, 1, 3, 3)))}
    changed = logits | {"end": np.eye(4)[[1, 2, 3, 3]]}
    assert result_of(logits, changed, both).top1 == 0.75
    assert result_of(logits, changed, both, end="difference").top1 == 1.0


def test_each_output_has_the_comparison_that_its_shape_and_type_ask_for() -> None:
    described = signature(
        ("detection_boxes", "float32", (20, 4)),
        ("detection_scores", "float32", (20,)),
        ("num_detections", "int32", ()),
        ("label", "string", ()),
        ("sigmoid", "float32", (1,)),
        ("age", "float32", ()),
        ("probabilities", "float32", (10,)),
        ("mask", "float32", (8, 8, 6)),
    )
    assert methods(described, {"age": "equal"}) == {
        "detection_boxes": "boxes",
        "detection_scores": "difference",
        "num_detections": "equal",
        "label": "equal",
        "sigmoid": "difference",
        "age": "equal",
        "probabilities": "top1",
        "mask": "difference",
    }


def test_the_order_of_outputs_does_not_choose_which_one_is_judged() -> None:
    """A box comes before the label in the alphabet, and its largest number is no class."""
    described = signature(("box", "float32", (4,)), ("label", "float32", (2,)))
    same = {"box": np.zeros((4, 4)), "label": SCORES}
    wrong = {"box": np.zeros((4, 4)), "label": SCORES[:, ::-1]}
    assert result_of(same, wrong, described, box="difference").top1 == 0.0


def test_texts_and_integers_are_compared_by_equality() -> None:
    described = signature(("label", "string", ()), ("count", "int64", ()))
    ours = {"label": np.array([b"cat", b"dog"], object), "count": np.array([3, 4])}
    theirs = {"label": np.array([b"cat", b"owl"], object), "count": np.array([3, 4])}
    result = result_of(list_of(ours), list_of(theirs), described)
    assert (result.outputs["label"].same, result.outputs["count"].same, result.top1) == (0.5, 1.0, None)
    assert shortfall(result, Threshold(min_same=0.9), pretrained=True) == (
        "agreement.min_same: 0.500 of output label on 2 images; allowed: at least 0.9"
    )


def test_boxes_agree_by_overlap_whatever_their_order() -> None:
    described = signature(("boxes", "float32", (2, 4)), ("scores", "float32", (2,)))
    boxes = np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    scores = np.array([[0.9, 0.8]])
    turned = {"boxes": boxes[:, ::-1] + 0.01, "scores": scores}
    assert result_of({"boxes": boxes, "scores": scores}, turned, described).outputs["boxes"].same == 1.0
    moved = {"boxes": np.concatenate([boxes[:, :1], boxes[:, :1] + 0.4], 1), "scores": scores}
    assert result_of({"boxes": boxes, "scores": scores}, moved, described).outputs["boxes"].same == 0.5


def list_of(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: [np.asarray(item) for item in array] for name, array in arrays.items()}


def test_examples_that_show_nothing_are_called_so() -> None:
    same = np.repeat(SCORES[:1], 4, axis=0)
    assert result_of({"scores": same}, {"scores": same}, CLASSES).warnings == (
        "output scores is the same for all 4 examples: agreement on them shows nothing",
    )
    leaning = SCORES + np.array([0, 5], np.float32)
    assert result_of({"scores": leaning}, {"scores": leaning}, CLASSES).warnings == (
        "output scores is largest at 1 for all 4 examples: top-1 shows little",
    )


def test_top1_of_a_single_unit_is_no_threshold() -> None:
    unit = signature(("positive", "float32", (1,)))
    result = result_of({"positive": SCORES[:, :1]}, {"positive": SCORES[:, 1:]}, unit)
    assert shortfall(result, Threshold(min_top1=0.9), pretrained=True) == (
        "agreement.min_top1: 0.9; allowed: min_same, max_abs_diff or max_mean_abs_diff, "
        "as no output is compared by top1"
    )


def test_fp32_that_is_another_answer_is_found_without_a_threshold() -> None:
    unit = signature(("positive", "float32", (1,)))
    reference = {"positive": SCORES[:, :1]}
    assert more_than_rounding(result_of(reference, {"positive": SCORES[:, :1] + 1e-4}, unit)) is None
    wrong = more_than_rounding(result_of(reference, {"positive": SCORES[:, 1:]}, unit))
    assert wrong is not None
    assert wrong.startswith("output positive differs by 0.8 where the source's largest number is 0.8")


def test_rounding_to_tf32_is_allowed_on_a_gpu_and_another_answer_is_not() -> None:
    rounded = result_of({"scores": SCORES}, {"scores": SCORES + 0.09}, CLASSES)
    assert more_than_rounding(rounded) is not None
    assert more_than_rounding(rounded, TF32_ROUNDING) is None
    assert more_than_rounding(result_of({"scores": SCORES}, {"scores": 1 - SCORES}, CLASSES), TF32_ROUNDING)


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


@pytest.mark.parametrize("difference", [float("nan"), float("inf")])
def test_no_number_in_place_of_one_is_refused_without_any_threshold(difference: float) -> None:
    result = Result(examples=4, top1=1.0, max_abs_diff=difference, mean_abs_diff=0.05)
    assert shortfall(result, Threshold(), pretrained=True) == (
        f"agreement.max_abs_diff: {difference} on 4 images; allowed: numbers wherever the source answers with numbers"
    )


def test_nan_never_meets_a_threshold() -> None:
    result = result_of({"scores": SCORES}, {"scores": np.full((4, 2), np.nan)}, CLASSES)
    assert shortfall(result, Threshold(max_abs_diff=1e9), pretrained=True) is not None
    assert more_than_rounding(result) is not None


def test_the_key_of_older_manifests_is_read() -> None:
    old = {"examples": 4, "noun": "sequences", "top1": 1.0, "max_abs_diff": 0.0, "mean_abs_diff": 0.0}
    assert Result.model_validate(old).samples == "4 sequences"
