"""Load around a change: starts it in the cluster, waits until it is steady, and reads what was answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import kubectl, log, wait_until
from release import start_pod, wait_for_end

LOAD = (Path(__file__).parent / "load.py").read_text()
# Requests per second of each stream: enough to meet every moment of a change, little enough for two cores.
RATE_PER_S = 10.0


def streams(release: str, namespace: str, model: str) -> list[str]:
    """The three documented ways to send requests from inside a cluster (docs/how-to/reliability.md)."""
    service = f"{release}.{namespace}.svc.cluster.local"
    headless = f"{release}-headless.{namespace}.svc.cluster.local"
    return [
        f"gRPC, round_robin over the headless Service=grpc@dns:///{headless}:8001/{model}",
        f"gRPC, the Service=grpc@{service}:8001/{model}",
        f"HTTP, the Service, connections renewed after 5 s=http@{service}:8000/{model}",
    ]


class Load:
    """What a load that has ended reports; `report` is empty until then."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = {}

    @property
    def failed(self) -> dict[str, Any]:
        """Streams with failed requests, and why they failed."""
        return {one["stream"]: one["reasons"] for one in self.report["streams"] if one["failed"]}


@contextmanager
def steady_load(
    namespace: str, image: str, pod: str, texts: list[str], *, rate_per_s: float = RATE_PER_S, burst: int = 1
) -> Iterator[Load]:
    """Load while the block runs; afterwards its report is there. AssertionError when it never gets going."""
    command = ["python3", "/task/load.py", str(rate_per_s), str(burst), *texts]
    start_pod(namespace, pod, image, command, {"load.py": LOAD})
    wait_until(f"the load {pod} is steady", lambda: "steady" in log(namespace, pod), 90)
    load = Load()
    try:
        yield load
    finally:
        kubectl("-n", namespace, "exec", pod, "--", "bash", "-c", "kill -TERM 1")
    load.report = json.loads(wait_for_end(namespace, pod).splitlines()[-1])
