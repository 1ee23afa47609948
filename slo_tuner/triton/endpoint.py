"""Where a server is: for the load, for questions and orders, and for its metrics."""

from dataclasses import dataclass, field
from pathlib import Path

from .nvml import find_gpus
from .server_metrics import MetricsEndpoint


@dataclass(frozen=True)
class Endpoint:
    """Where the load goes (`address`), where the server is asked and told things (gRPC), and how requests are made.

    `timeout_s` None: what follows from the objective. `proxy`: through the environment's proxy, also to near addresses.
    `examples` are rows to send in place of generated ones: a file, a directory of images, or a repository with samples;
    where nobody asked for any, those in `repository`.
    `local` says that the server is a process of this machine, so this machine's GPUs are the server's.
    """

    address: str
    control_address: str
    protocol: str = "grpc"
    metrics_url: str | None = None
    timeout_s: float | None = None
    shapes: dict[str, list[int]] = field(default_factory=dict)
    local: bool = False
    proxy: bool = False
    examples: Path | None = None
    repository: Path | None = None

    def metrics(self) -> MetricsEndpoint | None:
        """The server's metrics; None where nobody said where they are."""
        if self.metrics_url is None:
            return None
        return MetricsEndpoint(self.metrics_url, find_gpus() if self.local else None)
