"""Agreement of two lists of boxes whose order is no part of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.agreement.result import Answers

# Boxes are the same where they share half of what they cover together, as in PASCAL VOC (Everingham et al. 2010).
OVERLAP = 0.5
# Detections below it are noise to whoever reads them.
LEAST_SCORE = 0.3


def same_boxes(index: int, name: str, scores: str | None, answers: tuple[Answers, Answers]) -> float:
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
