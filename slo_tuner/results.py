"""The schema of results.json: everything that was measured, from which every summary can be made again."""

import json
import os
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .cost import Cost
from .errors import ResultsError
from .histogram import Histogram
from .objective import Objective

Purpose = Literal["unloaded", "bracket", "bisect", "confirm", "single"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerStages(_Record):
    """Mean time of a request in each stage, from Triton's counters over the same window.

    Of the GPUs, where there are any: their mean utilisation, 0 to 1, and the most memory that was used on all of them.
    """

    requests: int
    queue_ms: float
    compute_input_ms: float
    compute_infer_ms: float
    compute_output_ms: float
    batch_size: float
    gpu_utilization: float | None = None
    gpu_memory_mb: float | None = None


class Latency(_Record):
    """Latency of the requests of a point in ms, from the intended send time to the answer."""

    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Point(_Record):
    """One open-loop measurement at one offered rate."""

    number: int
    purpose: Purpose
    rate_per_s: float
    warm_up_s: float
    duration_s: float
    due: int
    requests: int
    errors: int
    error_reasons: dict[str, int] = {}
    misses: int
    miss_share: float
    miss_share_lower: float
    miss_share_upper: float
    kept: bool
    certain: bool
    void_reason: str = ""
    latency: Latency
    objective_quantile_ms: float
    histogram: Histogram
    send_delay_p95_ms: float
    generator_cpu_ms: float
    server: ServerStages | None = None
    rows_file: str = ""

    @property
    def void(self) -> bool:
        """Whether the load generator, not the server, decided this point."""
        return bool(self.void_reason)


class SweepPoint(_Record):
    """One closed-loop measurement: `concurrency` requests always in flight."""

    concurrency: int
    duration_s: float
    requests: int
    errors: int
    rate_per_s: float
    latency: Latency
    generator_cpu_ms: float | None = None
    server: ServerStages | None = None


class ModelResult(_Record):
    """What was found for one model: the highest rate within the objective, and every point on the way."""

    model: str
    met: bool
    rate_per_s: float | None
    missed_per_s: float | None
    generator_limited: bool = False
    unloaded_ms: float | None = None
    load_s: float | None = None
    sweep: tuple[SweepPoint, ...] = ()
    points: tuple[Point, ...] = ()
    server_config: dict[str, Any] = {}
    manifest: dict[str, Any] = {}

    @property
    def confirmations(self) -> tuple[Point, ...]:
        """The repeats at the rate that was found."""
        counted = [p for p in self.points if p.purpose in ("confirm", "single") and not p.void]
        return tuple(p for p in counted if p.rate_per_s == self.rate_per_s)


class Way(_Record):
    """One way to the server, and the closed-loop sweep that each round made through it."""

    name: str
    address: str
    rounds: tuple[tuple[SweepPoint, ...], ...] = ()


class Ways(_Record):
    """Sweeps of one model over several ways to its server; the first way is what the others are compared with.

    Every round sweeps the same numbers in flight through every way, so differences can be taken within a round.
    """

    model: str
    ways: tuple[Way, ...]
    server_config: dict[str, Any] = {}


class ObjectiveRecord(_Record):
    """The objective, and how it was chosen."""

    quantile: float
    limit_ms: float
    error_share: float
    chosen: str

    @classmethod
    def of(cls, objective: Objective, chosen: str) -> Self:
        """The record of an objective."""
        return cls(
            quantile=objective.quantile,
            limit_ms=objective.limit_ms,
            error_share=objective.error_share,
            chosen=chosen,
        )

    def objective(self) -> Objective:
        """The objective as the measurements use it."""
        return Objective(self.quantile, self.limit_ms, self.error_share)


class Results(_Record):
    """One run of the tuner on one machine; a run over several ways has `ways` in place of `models`."""

    schema_version: Literal[1] = 1
    created: str
    title: str
    command: str
    objective: ObjectiveRecord
    protocol: str
    request_megabytes: dict[str, float]
    environment: dict[str, Any]
    models: tuple[ModelResult, ...]
    complete: bool = True
    wall_s: float = 0.0
    cost: Cost | None = None
    ways: Ways | None = None


def write_results(results: Results, path: Path) -> None:
    """Write results.json so that a reader never sees half of it; ResultsError when that can't be done."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(results.model_dump(mode="json"), indent=1) + "\n")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ResultsError(f"{path} cannot be written: {error.strerror}") from None


Kind = TypeVar("Kind", bound=Results)


def read_results(path: Path, kind: type[Kind]) -> Kind:
    """Read results.json of a command; ResultsError names the first field that is wrong."""
    try:
        return kind.model_validate_json(path.read_text())
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResultsError(f"{path} is no results file of slo-tuner: {where}: {first['msg']}") from None
