"""What a speed test keeps: every single latency and guess, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEST = 5


class Kept(BaseModel):
    """Base of everything in speed-test.json: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(Kept):
    """One repeat: the time of each run in milliseconds, and of all together in seconds."""

    latencies_ms: tuple[float, ...]
    elapsed_s: float


class Point(Kept):
    """All repeats at one batch size, without the warm-up."""

    batch: int
    repeats: tuple[Repeat, ...]


class Guess(Kept):
    """A class (its number, and its name where there is one) and the model's output for it."""

    index: int
    name: str
    score: float


class VariantResult(Kept):
    """One variant: how it was executed, its points, and its best guesses for each image, best first."""

    name: str
    engine: str
    precision: str
    input_dtype: str
    device: str
    parameters: dict[str, str]
    packages: dict[str, str]
    weights: str
    pretrained: bool
    points: tuple[Point, ...]
    guesses: tuple[tuple[Guess, ...], ...]


class ImageFile(Kept):
    """An image that was shown to the models; `thumbnail` is a small JPEG of it in base64."""

    name: str
    sha256: str
    thumbnail: str = ""


class SpeedTest(Kept):
    """The whole test; `sample_kind` is what was executed, `environment` describes the machine as slo-tuner does."""

    model: str
    sample_kind: str = Field("images", validation_alias=AliasChoices("sample_kind", "noun"))
    started: str
    environment: dict[str, Any]
    images: tuple[ImageFile, ...]
    variants: tuple[VariantResult, ...]


@dataclass(frozen=True)
class Summary:
    """Figures of a point: rates in examples a second (of the slowest and the fastest repeat too), latencies in ms."""

    rate_per_s: float
    slowest: float
    fastest: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    runs: int


def summarise(point: Point) -> Summary:
    """The figures of a point; latency percentiles are over the runs of all repeats, interpolated linearly."""
    latencies = np.concatenate([repeat.latencies_ms for repeat in point.repeats])
    rates = [point.batch * len(repeat.latencies_ms) / repeat.elapsed_s for repeat in point.repeats]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    return Summary(
        rate_per_s=point.batch * len(latencies) / sum(repeat.elapsed_s for repeat in point.repeats),
        slowest=min(rates),
        fastest=max(rates),
        mean_ms=float(latencies.mean()),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        runs=len(latencies),
    )


def best_guesses(scores: NDArray[Any], labels: tuple[str, ...]) -> tuple[Guess, ...]:
    """The five classes (or all, where there are fewer) with the highest of `scores` [classes], best first."""
    order = np.argsort(-scores.astype(np.float64), kind="stable")[:BEST]
    return tuple(
        Guess(index=int(index), name=labels[index] if index < len(labels) else "", score=float(scores[index]))
        for index in order
    )
