"""How closely a variant's outputs follow those of the source on the same examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from model_repo_builder.examples.kinds import IMAGES, Examples, requests
from model_repo_builder.signature import FLOATS, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.engines.base import Predict
    from model_repo_builder.plan.schema import Threshold

BATCH = 8
# Boxes are the same where they share half of what they cover together, as in PASCAL VOC (Everingham et al. 2010).
OVERLAP = 0.5
# Detections below it are noise to whoever reads them.
LEAST_SCORE = 0.3
# What FP32 variants may differ by, of the largest number of the output: more is no rounding.
ROUNDING = 0.01
# Of boxes with nearly the same score, rounding decides which one suppresses the other.
CLOSE_BOXES = 0.1

Method = Literal["top1", "difference", "equal", "boxes"]
# For each output, what came of each example.
Answers = Mapping[str, Sequence["NDArray[Any]"]]


class OutputResult(BaseModel):
    """Agreement of one output: `same` is the share of examples (elements where compared by `equal`) that agree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method
    same: float
    max_abs_diff: float
    mean_abs_diff: float
    largest: float = 0.0


class Result(BaseModel):
    """Agreement over so many examples of a kind (called `noun` before); differences are in the output's own unit.

    `top1` is None where no output is compared by it. `warnings` say what these examples could not have shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: int
    sample_kind: str = Field(IMAGES.sample_kind, validation_alias=AliasChoices("sample_kind", "noun"))
    top1: float | None
    max_abs_diff: float
    mean_abs_diff: float
    outputs: dict[str, OutputResult] = {}
    warnings: tuple[str, ...] = ()

    @property
    def samples(self) -> str:
        """What was compared: `32 images`."""
        return f"{self.examples} {self.sample_kind}"

    @property
    def summary(self) -> str:
        """One line: top-1 where there is one, else the least agreement of an output and the largest difference."""
        if self.top1 is not None:
            return f"top-1 agreement {self.top1:.1%} of {self.samples}"
        least = min((one.same for one in self.outputs.values() if one.method != "difference"), default=None)
        same = "" if least is None else f"{least:.1%} the same, "
        return f"agreement: {same}largest difference {self.max_abs_diff:.2g} on {self.samples}"


def methods(signature: Signature, chosen: Mapping[str, Method]) -> dict[str, Method]:
    """How each output is compared: as the plan says, or by its dtype and shape."""
    return {tensor.name: chosen.get(tensor.name, _method(tensor, signature)) for tensor in signature.outputs}


def _method(tensor: Tensor, signature: Signature) -> Method:
    """Texts and integers by equality, vectors of several numbers by the place of the largest, all else by difference.

    [n, 4] beside as many scores is a list of boxes: its order is no part of the answer.
    """
    shape = tensor.shape if signature.batched else tensor.shape[1:]
    if tensor.dtype not in FLOATS:
        return "equal"
    if len(shape) == 2 and shape[1] == 4 and _scores(tensor.name, signature):
        return "boxes"
    if len(shape) == 1 and shape[0] > 1 and not _belongs_to_boxes(tensor, signature):
        return "top1"
    return "difference"


def _scores(boxes: str, signature: Signature) -> str | None:
    """The output with a score for each of the boxes."""
    shape = next(tensor.shape for tensor in signature.outputs if tensor.name == boxes)[:-1]
    alike = [tensor.name for tensor in signature.outputs if tensor.shape == shape and "score" in tensor.name.lower()]
    return alike[0] if alike else None


def _belongs_to_boxes(tensor: Tensor, signature: Signature) -> bool:
    boxes = [one for one in signature.outputs if one.shape == (*tensor.shape, 4)]
    return any(_scores(one.name, signature) for one in boxes)


def run(predict: Predict, samples: Examples, signature: Signature) -> dict[str, list[NDArray[Any]]]:
    """The outputs for each example, computed in small batches to bound memory; ValueError where rows are missing."""
    answers: dict[str, list[NDArray[Any]]] = {tensor.name: [] for tensor in signature.outputs}
    for request in requests(samples, signature, BATCH):
        outputs = predict(request)
        for name, rows in answers.items():
            if not signature.batched:
                rows.append(outputs[name])
                continue
            sent = len(next(iter(request.values())))
            if outputs[name].ndim < 1 or len(outputs[name]) != sent:
                raise ValueError(f"output {name} has the shape {list(outputs[name].shape)} for a batch of {sent}")
            # A text by itself would be bytes, and no array.
            rows.extend(np.asarray(row, outputs[name].dtype) for row in outputs[name])
    return answers


def compare(
    reference: Answers, candidate: Answers, signature: Signature, chosen: Mapping[str, Method], sample_kind: str
) -> Result:
    """Compare the outputs of each example; ValueError where an output has another shape.

    Top-1 is the share of examples for which every output that is compared by it has its largest value at the same
    place.
    """
    how = methods(signature, chosen)
    outputs: dict[str, OutputResult] = {}
    same_place: list[Any] = []
    for name, method in how.items():
        ours, theirs = reference[name], candidate[name]
        if len(ours) != len(theirs):
            raise ValueError(f"output {name} has {len(theirs)} rows for {len(ours)} examples")
        same = _same(name, method, (reference, candidate), signature)
        if method == "top1":
            same_place.append(same)
        outputs[name] = _result(method, ours, theirs, same)
    numbers = [one for one in outputs.values() if one.method in ("top1", "difference")]
    return Result(
        examples=len(next(iter(reference.values()))),
        sample_kind=sample_kind,
        top1=float(np.mean(np.all(same_place, axis=0))) if same_place else None,
        max_abs_diff=_largest([one.max_abs_diff for one in numbers]),
        mean_abs_diff=float(np.mean([one.mean_abs_diff for one in numbers])) if numbers else 0.0,
        outputs=outputs,
        warnings=tuple(_warnings(reference, how)),
    )


def _same(
    name: str, method: Method, answers: tuple[Answers, Answers], signature: Signature
) -> NDArray[np.float64] | None:
    """For each example how far it agrees, 0 to 1; None where the method is a difference."""
    reference, candidate = answers
    pairs = list(zip(reference[name], candidate[name], strict=True))
    if method == "boxes":
        scores = _scores(name, signature)
        return np.array([_boxes(index, name, scores, answers) for index in range(len(pairs))])
    if method == "difference":
        for ours, theirs in pairs:
            _require_shape(name, ours, theirs)
        return None
    if method == "equal":
        return np.array([_equal(ours, theirs) for ours, theirs in pairs])
    for ours, theirs in pairs:
        _require_shape(name, ours, theirs)
    return np.array([np.mean(ours.argmax(-1) == theirs.argmax(-1)) for ours, theirs in pairs])


def _require_shape(name: str, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    if ours.shape != theirs.shape:
        raise ValueError(f"output {name} has the shape {list(theirs.shape)}, of the source {list(ours.shape)}")


def _equal(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    return 0.0 if ours.shape != theirs.shape else float(np.mean(ours == theirs)) if ours.size else 1.0


def _boxes(index: int, name: str, scores: str | None, answers: tuple[Answers, Answers]) -> float:
    """The share of boxes that both have: each of one matched with one of the other by their overlap."""
    found = []
    for answer in answers:
        boxes = np.asarray(answer[name][index], np.float64)
        found.append(boxes if scores is None else boxes[np.asarray(answer[scores][index]) >= LEAST_SCORE])
    ours, left = found[0], list(found[1])
    most, matched = max(len(ours), len(left)), 0
    for box in ours:
        best = max(range(len(left)), key=lambda one: _overlap(box, left[one]), default=None)
        if best is not None and _overlap(box, left[best]) >= OVERLAP:
            matched += 1
            del left[best]
    return matched / most if most else 1.0


def _overlap(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two boxes given by any two opposite corners."""
    one, other = (np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])]) for box in (one, other))
    inside = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    both = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - inside
    return float(inside / both) if both > 0 else float(np.array_equal(one, other))


def _result(
    method: Method,
    ours: Sequence[NDArray[Any]],
    theirs: Sequence[NDArray[Any]],
    same: NDArray[np.float64] | None,
) -> OutputResult:
    share = 1.0 if same is None else float(np.mean(same))
    if method in ("equal", "boxes"):
        return OutputResult(method=method, same=share, max_abs_diff=0.0, mean_abs_diff=0.0)
    expected = _flat(ours)
    with np.errstate(invalid="ignore"):
        difference = np.abs(expected - _flat(theirs))
    # The same infinity, and no number in both, is agreement.
    alike = (expected == _flat(theirs)) | (np.isnan(expected) & np.isnan(_flat(theirs)))
    difference = np.where(alike, 0.0, difference)
    return OutputResult(
        method=method,
        same=share,
        max_abs_diff=float(difference.max(initial=0.0)),
        mean_abs_diff=float(difference.mean()) if difference.size else 0.0,
        largest=float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0)),
    )


def _flat(rows: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(row).astype(np.float64) for row in rows])


def _largest(values: Sequence[float]) -> float:
    """The largest; NaN where one is, which never passes a threshold."""
    return float(np.max(values)) if values else 0.0


def _warnings(reference: Answers, how: Mapping[str, Method]) -> list[str]:
    """What agreement on these examples can't show, because the source answers all of them alike."""
    found = []
    for name, method in how.items():
        rows = reference[name]
        if len(rows) < 2:
            continue
        first = rows[0]
        if all(row.shape == first.shape and _alike(row, first) for row in rows[1:]):
            found.append(f"output {name} is the same for all {len(rows)} examples: agreement on them shows nothing")
        elif method == "top1" and len({int(np.ravel(row.argmax(-1))[0]) for row in rows}) == 1:
            place = int(np.ravel(first.argmax(-1))[0])
            found.append(f"output {name} is largest at {place} for all {len(rows)} examples: top-1 shows little")
    return found


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.dtype.kind in "fc":
        return bool(np.allclose(one.astype(np.float64), other.astype(np.float64), rtol=1e-6, atol=1e-9, equal_nan=True))
    return bool(np.all(one == other))


def shortfall(result: Result, threshold: Threshold, *, pretrained: bool) -> str | None:
    """What misses the threshold, as `FIELD: value; allowed: …`; None when nothing does. NaN never passes."""
    field, least = "min_top1", threshold.min_top1
    if not pretrained and threshold.min_top1_random_weights is not None:
        field, least = "min_top1_random_weights", threshold.min_top1_random_weights
    if least is not None and result.top1 is None:
        means = "min_same, max_abs_diff or max_mean_abs_diff, as no output is compared by top1"
        return f"agreement.{field}: {least}; allowed: {means}"
    if least is not None and not float(result.top1 or 0) >= least:
        return f"agreement.{field}: {result.top1:.3f} of {result.samples}; allowed: at least {least}"
    for name, one in result.outputs.items():
        if threshold.min_same is not None and one.method in ("equal", "boxes") and not one.same >= threshold.min_same:
            found = f"{one.same:.3f} of output {name} on {result.samples}"
            return f"agreement.min_same: {found}; allowed: at least {threshold.min_same}"
    for field, limit in (
        ("max_abs_diff", threshold.max_abs_diff),
        ("max_mean_abs_diff", threshold.max_mean_abs_diff),
    ):
        value = result.max_abs_diff if field == "max_abs_diff" else result.mean_abs_diff
        if limit is not None and not value <= limit:
            return f"agreement.{field}: {value:.3g} on {result.samples}; allowed: at most {limit}"
    return None


def more_than_rounding(result: Result) -> str | None:
    """The output of an FP32 variant that is another answer than the source's; None where all are the same."""
    for name, one in result.outputs.items():
        if one.method in ("top1", "difference") and not one.max_abs_diff <= ROUNDING * max(one.largest, 1e-3):
            return (
                f"output {name} differs by {one.max_abs_diff:.3g} where the source's largest number is "
                f"{one.largest:.3g}; allowed: at most {ROUNDING:.0%} of it in fp32"
            )
        least = {"equal": 1 - ROUNDING, "boxes": 1 - CLOSE_BOXES}.get(one.method, 0.0)
        if one.same < least:
            return f"output {name} is the same for {one.same:.1%}; allowed: at least {least:.0%} in fp32"
    return None
