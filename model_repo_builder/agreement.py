"""How closely a variant's outputs follow those of the source on the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Images, Outputs, Predict
    from model_repo_builder.plan import Threshold

BATCH = 8


class Result(BaseModel):
    """Agreement over `images` images; differences are absolute and in the output's own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    top1: float
    max_abs_diff: float
    mean_abs_diff: float


def run(predict: Predict, images: Images) -> Outputs:
    """Outputs [n, ...] for images [n, h, w, c], computed in small batches to bound memory."""
    parts = [predict(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare(reference: Outputs, candidate: Outputs) -> Result:
    """Compare outputs of the same names and shapes; top-1 is taken over the last axis of the first output."""
    differences = [np.abs(reference[name].astype(np.float64) - candidate[name]) for name in reference]
    first = next(iter(reference))
    same = np.argmax(reference[first], axis=-1) == np.argmax(candidate[first], axis=-1)
    flat = np.concatenate([difference.ravel() for difference in differences])
    return Result(
        images=len(reference[first]),
        top1=float(np.mean(same)),
        max_abs_diff=float(np.max(flat)),
        mean_abs_diff=float(np.mean(flat)),
    )


def shortfall(result: Result, threshold: Threshold, pretrained: bool) -> str | None:
    """What misses the threshold, as `FIELD: value; allowed: …`; None when nothing does. NaN never passes."""
    field, least = "min_top1", threshold.min_top1
    if not pretrained and threshold.min_top1_random_weights is not None:
        field, least = "min_top1_random_weights", threshold.min_top1_random_weights
    if least is not None and not result.top1 >= least:
        return f"agreement.{field}: {result.top1:.3f} of {result.images} images; allowed: at least {least}"
    for field, limit in (
        ("max_abs_diff", threshold.max_abs_diff),
        ("max_mean_abs_diff", threshold.max_mean_abs_diff),
    ):
        value = result.max_abs_diff if field == "max_abs_diff" else result.mean_abs_diff
        if limit is not None and not value <= limit:
            return f"agreement.{field}: {value:.3g} on {result.images} images; allowed: at most {limit}"
    return None
