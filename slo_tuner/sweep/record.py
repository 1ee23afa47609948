"""The sweep's part of results.json: the targets, and the closed loops that each round ran through them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..results.schema import Results, SweepPoint


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SweepTarget(_Record):
    """One address of the server, and the closed-loop sweep that each round made through it."""

    name: str
    address: str
    rounds: tuple[tuple[SweepPoint, ...], ...] = ()


class SweepRecord(_Record):
    """Sweeps of one model over several addresses of its server; the first target is what the others are compared with.

    Every round sweeps the same numbers in flight through every target, so differences can be taken within a round.
    """

    model: str
    targets: tuple[SweepTarget, ...]
    server_config: dict[str, Any] = {}


class SweepResults(Results):
    """results.json of `slo-tuner sweep`."""

    kind: Literal["sweep"] = "sweep"
    sweep: SweepRecord
