"""What a comparison finds, as the manifest keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from model_repo_builder.agreement.methods import Method
from model_repo_builder.examples.kinds import IMAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
