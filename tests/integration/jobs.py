"""One run of slo-tuner as a Job of charts/locust: installs it, waits, and reads what it kept and said."""

from __future__ import annotations

from typing import Any

from choices import Values
from cluster import Object, items, log, name_of, wait_until
from release import ROOT, Release

# Each look costs the machine, which may be the one that is measured, a tenth of a second.
LOOK_EVERY_S = 5.0
RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}


def start_job(namespace: str, name: str, job: Values, **values: Any) -> None:
    """Installs the chart with the Job as its only part. `job` are the chart's values of that name; `values` others."""
    settings = {"swarm": {"enabled": False}, "job": {"enabled": True, "resources": RESOURCES, **job}, **values}
    Release(namespace, ROOT / "charts" / "locust", name=name).install(settings, wait=False)


def run_job(namespace: str, name: str, job: Values, deadline_s: float, **values: Any) -> dict[str, str]:
    """The files that a started Job kept in its ConfigMap, by their names; AssertionError when it fails or is late."""
    start_job(namespace, name, job, **values)

    def kept() -> list[Object]:
        assert "Failed" not in ends(namespace, name), f"the Job {name} has failed"
        return [found for found in items(namespace, "configmaps") if name_of(found) == f"{name}-locust-results"]

    (found,) = wait_until(f"the Job {name} has kept its results", kept, deadline_s, every_s=LOOK_EVERY_S)
    return dict(found["data"])


def ends(namespace: str, name: str) -> list[str]:
    """How the Jobs of a release, the tuner's and its workers', have ended so far: each `Complete` or `Failed`."""
    jobs = items(namespace, "jobs", f"app.kubernetes.io/instance={name}")
    conditions = [condition for job in jobs for condition in job["status"].get("conditions", [])]
    return [one["type"] for one in conditions if one["type"] in ("Complete", "Failed") and one["status"] == "True"]


def pods(namespace: str, name: str, component: str) -> list[str]:
    """Names of the Pods of the tuner (`job`), or of its workers (`job-worker`)."""
    selector = f"app.kubernetes.io/instance={name},app.kubernetes.io/component={component}"
    return [name_of(pod) for pod in items(namespace, "pods", selector)]


def said(namespace: str, name: str) -> str:
    """What the tuner has printed so far."""
    return "".join(log(namespace, pod) for pod in pods(namespace, name, "job"))
