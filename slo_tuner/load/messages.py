"""What the master of the load and its workers tell one another, as custom messages of Locust."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from command_line.proxy import proxy_for

from .payload import Payload
from .request_log import COLUMNS, Failures, Floats
from .transport import open_transport
from .users import Route

READY = "slo-tuner-ready"
ASSIGN = "slo-tuner-assign"
START = "slo-tuner-start"
STOP = "slo-tuner-stop"
REPORT = "slo-tuner-report"
FAILED = "slo-tuner-failed"


@dataclass(frozen=True)
class Assignment:
    """What to send, where to and how: plain values, so that every worker sends identical bytes."""

    protocol: str
    address: str
    timeout_s: float
    payload: Payload
    proxy: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """HOST:PORT of each server that gets a share of the requests; `address` lists them with commas."""
        return tuple(part.removeprefix("dns:///") for part in self.address.split(","))

    @property
    def through_proxy(self) -> bool:
        """Whether gRPC takes a proxy on the way: only its own client knows how."""
        return self.protocol == "grpc" and any(proxy_for(part, self.proxy) for part in self.address.split(","))

    def route(self) -> Route:
        """The way of these requests, opened."""
        transport = open_transport(self.protocol, self.address, self.payload, self.timeout_s, self.proxy)
        return Route(self.payload.model, self.protocol, transport)

    def to_message(self) -> dict[str, Any]:
        """As Locust sends it."""
        return asdict(self)

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Self:
        """As Locust received it."""
        return cls(**data | {"payload": Payload(**data["payload"])})


@dataclass(frozen=True)
class Start:
    """Run number `run`: an open loop with these send times, or `users` in a closed one."""

    run: int
    offsets_s: Floats | None = None
    users: int = 0

    def to_message(self) -> dict[str, Any]:
        """As Locust sends it."""
        packed = None if self.offsets_s is None else self.offsets_s.tobytes()
        return {"run": self.run, "offsets_s": packed, "users": self.users}

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Self:
        """As Locust received it."""
        packed = data["offsets_s"]
        return cls(**data | {"offsets_s": None if packed is None else np.frombuffer(packed, dtype=np.float64)})


@dataclass(frozen=True)
class WorkerReport:
    """What a worker has done since its last report (`rows`, `failures`) and since the start of the run (all else).

    Times are seconds from the worker's own start. Every answer up to `complete_until_s` is in the rows so far.
    """

    run: int
    complete_until_s: float
    rows: Floats
    failures: Failures
    cpu_s: float
    finished: bool

    def to_message(self) -> dict[str, Any]:
        """As Locust sends it."""
        return asdict(self) | {"rows": self.rows.tobytes()}

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Self:
        """As Locust received it."""
        return cls(**data | {"rows": np.frombuffer(data["rows"], dtype=np.float64).reshape(-1, COLUMNS)})
