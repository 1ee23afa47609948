"""What the master of the load and its workers tell one another, as custom messages of Locust."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import Any, Self

import numpy as np

from command_line.errors import GeneratorError
from command_line.proxy import proxy_for

from ..access.addresses import host_of
from ..access.client_access import Access
from .payload import Payload, Payloads
from .request_log import COLUMNS, Failures, Floats
from .transport import Target, open_transport
from .users import Route

READY = "slo-tuner-ready"
ASSIGN = "slo-tuner-assign"
START = "slo-tuner-start"
STOP = "slo-tuner-stop"
REPORT = "slo-tuner-report"
FAILED = "slo-tuner-failed"


@dataclass(frozen=True)
class Assignment:
    """What to send, where to and how: plain values, so that every worker sends identical bytes.

    The requests are sent in turn, and the turn begins with number `first`. `server_names` are those that the
    certificates have to be for, one for each address, where they differ from the addresses. `access` is the process's
    own: what proves who the client is goes in no message, as the workers' port has no password.
    """

    protocol: str
    address: str
    timeout_s: float
    payloads: Payloads
    proxy: bool = False
    first: int = 0
    server_names: Sequence[str] = ()
    access: Access = field(default_factory=Access)

    @property
    def addresses(self) -> tuple[str, ...]:
        """HOST:PORT, or with a scheme, of each server that gets a share of the requests; `address` has commas."""
        return tuple(part.removeprefix("dns:///") for part in self.address.split(","))

    @property
    def names(self) -> tuple[str, ...]:
        """Whom the certificate of each server has to be for."""
        given = self.server_names or [""] * len(self.addresses)
        return tuple(name or host_of(address) for name, address in zip(given, self.addresses, strict=True))

    @property
    def through_proxy(self) -> bool:
        """Whether gRPC takes a proxy on the way: only its own client knows how."""
        return self.protocol == "grpc" and any(proxy_for(part, self.proxy) for part in self.address.split(","))

    def route(self) -> Route:
        """The way of these requests, opened."""
        target = Target(self.address, self.timeout_s, self.names[0], self.access, self.proxy)
        transport = open_transport(self.protocol, target, self.payloads)
        return Route(self.payloads[0].model, self.protocol, transport, count(self.first))

    def of_worker(self, place: int, workers: int) -> Self:
        """The same for one of several workers: each begins its turns elsewhere, or all would send the same row."""
        return replace(self, first=place * len(self.payloads) // workers)

    def to_message(self) -> dict[str, Any]:
        """As Locust sends it: without what proves who the client is, but with what that is."""
        without = replace(self, access=Access())
        return asdict(without) | {"access": {"proofs": self.access.proofs, "retries": self.access.retries}}

    @classmethod
    def from_message(cls, data: dict[str, Any], own: Access) -> Self:
        """As a worker with an access of its own received it; GeneratorError where that lacks something."""
        asked = data["access"]
        lacking = [proof for proof in asked["proofs"] if proof not in own.proofs]
        if lacking:
            raise GeneratorError(
                f"the slo-tuner has {', '.join(lacking)}, and this worker has none in its environment: "
                "set the variables SLO_TUNER_... that docs/how-to/guarded-servers.md names"
            )
        access = replace(own, retries=asked["retries"])
        payloads = tuple(Payload(**payload) for payload in data["payloads"])
        return cls(**data | {"payloads": payloads, "access": access})


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
