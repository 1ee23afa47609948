"""Which differences are too many: by the plan's threshold, and for a variant that only rounds."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from model_repo_builder.agreement.result import Result

if TYPE_CHECKING:
    from model_repo_builder.plan.schema import Threshold

# What FP32 variants may differ by, of the largest number of the output: more is no rounding.
ROUNDING = 0.01
# The same on GPUs, whose libraries round the factors of FP32 products to TF32's ten bits (NVIDIA Ampere and later).
TF32_ROUNDING = 0.2
# Of boxes with nearly the same score, rounding decides which one suppresses the other.
CLOSE_BOXES = 0.1


def shortfall(result: Result, threshold: Threshold, *, pretrained: bool) -> str | None:
    """What misses the threshold, as `FIELD: value; allowed: …`; None when nothing does. NaN never passes."""
    if not isfinite(result.max_abs_diff):
        found = f"{result.max_abs_diff} on {result.samples}"
        return f"agreement.max_abs_diff: {found}; allowed: numbers wherever the source answers with numbers"
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


def more_than_rounding(result: Result, allowed: float = ROUNDING) -> str | None:
    """The output of an FP32 variant that is another answer than the source's; None where all are the same.

    `allowed` is the largest difference, as a share of the output's largest number.
    """
    for name, one in result.outputs.items():
        if one.method in ("top1", "difference") and not one.max_abs_diff <= allowed * max(one.largest, 1e-3):
            return (
                f"output {name} differs by {one.max_abs_diff:.3g} where the source's largest number is "
                f"{one.largest:.3g}; allowed: at most {allowed:.0%} of it in fp32"
            )
        least = {"equal": 1 - ROUNDING, "boxes": 1 - CLOSE_BOXES}.get(one.method, 0.0)
        if one.same < least:
            return f"output {name} is the same for {one.same:.1%}; allowed: at least {least:.0%} in fp32"
    return None
