"""Runs a variant on the examples, and compares its outputs with those of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.agreement.boxes import same_boxes
from model_repo_builder.agreement.methods import Method, methods, scores_of
from model_repo_builder.agreement.result import Answers, OutputResult, Result
from model_repo_builder.examples.kinds import Examples, requests
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.engines.base import Predict

BATCH = 8


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
        scores = scores_of(name, signature)
        return np.array([same_boxes(index, name, scores, answers) for index in range(len(pairs))])
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
