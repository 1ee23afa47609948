"""The sweep's part of results.json: the targets, and the closed loops that each round ran through them."""

from typing import Any, Literal

from pydantic import Field

from ..results.record import Record
from ..results.schema import Results, SweepPoint


class SweepTarget(Record):
    """One address of the server, and the closed-loop sweep that each round made through it."""

    name: str
    address: str
    rounds: tuple[tuple[SweepPoint, ...], ...] = ()


class SweepRecord(Record):
    """Sweeps of one model over several addresses of its server; the first target is what the others are compared with.

    Every round sweeps the same numbers in flight through every target, so differences can be taken within a round.
    """

    model: str
    targets: tuple[SweepTarget, ...]
    server_config: dict[str, Any] = Field(default_factory=dict)


class SweepResults(Results):
    """results.json of `slo-tuner sweep`."""

    kind: Literal["sweep"] = "sweep"
    sweep: SweepRecord
