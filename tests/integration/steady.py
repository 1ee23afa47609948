"""Load around a change: starts it in the cluster, waits until it is steady, and reads what was answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import kubectl, log, wait_until
from release import Release, start_pod, wait_for_end

LOAD = (Path(__file__).parent / "load.py").read_text()
INDEPENDENT = (Path(__file__).parent / "independent.py").read_text()
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "reliability.md"
DOCUMENTED = "gRPC, as documented"
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
        """Streams with failed requests, and why they failed; of independent clients the one that does as documented."""
        others = [one for one in self.report.get("independent", []) if one["stream"] == DOCUMENTED]
        return {one["stream"]: one["reasons"] for one in (*self.report["streams"], *others) if one["failed"]}


def retry_policy() -> str:
    """The service config of the documents, as it stands there."""
    text = DOCUMENT.read_text()
    start = text.index('{"methodConfig"')
    return json.dumps(json.loads(text[start : text.index("\n\n", start)]))


@contextmanager
def steady_load(
    namespace: str, image: str, pod: str, texts: list[str], *, rate_per_s: float | str = RATE_PER_S, burst: int = 1
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


@contextmanager
def under_every_client(
    release: Release,
    image: str,
    pod: str,
    model: str,
    *,
    rate_per_s: float = RATE_PER_S,
    independent_per_s: float = RATE_PER_S,
) -> Iterator[Load]:
    """The documented ways of slo_tuner's load, and five of an independent client, all at once while the block runs.

    The report has the latter as `independent`.
    """
    namespace, other = release.namespace, f"{pod}-independent"
    command = [
        "python3",
        "/task/independent.py",
        str(independent_per_s),
        release.name,
        namespace,
        model,
        retry_policy(),
    ]
    start_pod(namespace, other, image, command, {"independent.py": INDEPENDENT})
    try:
        texts = streams(release.name, namespace, model)
        with steady_load(namespace, image, pod, texts, rate_per_s=rate_per_s) as load:
            wait_until(f"the load {other} is steady", lambda: "steady" in log(namespace, other), 90)
            yield load
    finally:
        kubectl("-n", namespace, "exec", other, "--", "bash", "-c", "kill -TERM 1")
    load.report["independent"] = json.loads(wait_for_end(namespace, other).splitlines()[-1])["streams"]
