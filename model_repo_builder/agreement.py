"""How closely a variant's outputs follow those of the source on the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from model_repo_builder.examples.kinds import IMAGES, Examples, batches

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Outputs, Predict
    from model_repo_builder.plan.schema import Threshold

BATCH = 8


class Result(BaseModel):
    """Agreement over so many examples of a kind (called `noun` before); differences are in the output's own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: int
    sample_kind: str = Field(IMAGES.sample_kind, validation_alias=AliasChoices("sample_kind", "noun"))
    top1: float
    max_abs_diff: float
    mean_abs_diff: float

    @property
    def samples(self) -> str:
        """What was compared: `32 images`."""
        return f"{self.examples} {self.sample_kind}"


def run(predict: Predict, samples: Examples) -> Outputs:
    """Outputs [n, ...] for examples, computed in small batches to bound memory."""
    parts = [predict(batch) for batch in batches(samples, BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare(reference: Outputs, candidate: Outputs, answer: Sequence[str], sample_kind: str) -> Result:
    """Compare outputs of the same names and shapes.

    Top-1 is the share of examples for which every output in `answer` has its largest value at the same place.
    """
    differences = [np.abs(reference[name].astype(np.float64) - candidate[name]) for name in reference]
    same = np.all([reference[name].argmax(-1) == candidate[name].argmax(-1) for name in answer], axis=0)
    flat = np.concatenate([difference.ravel() for difference in differences])
    return Result(
        examples=len(same),
        sample_kind=sample_kind,
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
        return f"agreement.{field}: {result.top1:.3f} of {result.samples}; allowed: at least {least}"
    for field, limit in (
        ("max_abs_diff", threshold.max_abs_diff),
        ("max_mean_abs_diff", threshold.max_mean_abs_diff),
    ):
        value = result.max_abs_diff if field == "max_abs_diff" else result.mean_abs_diff
        if limit is not None and not value <= limit:
            return f"agreement.{field}: {value:.3g} on {result.samples}; allowed: at most {limit}"
    return None
