"""One run of slo-tuner as a Job of charts/locust: installs it, waits, and reads what it kept."""

from __future__ import annotations

from typing import Any

from choices import Values
from cluster import Object, items, name_of, wait_until
from release import ROOT, Release

# Each look costs the machine, which may be the one that is measured, a tenth of a second.
LOOK_EVERY_S = 5.0
RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}


def run_job(namespace: str, name: str, job: Values, deadline_s: float, **values: Any) -> dict[str, str]:
    """The files that the Job kept in its ConfigMap, by their names; AssertionError when it fails or takes longer.

    `job` are the chart's values of that name; `values` all others.
    """
    settings = {"swarm": {"enabled": False}, "job": {"enabled": True, "resources": RESOURCES, **job}, **values}
    Release(namespace, ROOT / "charts" / "locust", name=name).install(settings, wait=False)

    def kept() -> list[Object]:
        failed = [one for one in items(namespace, "jobs", f"app.kubernetes.io/instance={name}") if _has_failed(one)]
        assert not failed, f"the Job {name} has failed"
        return [found for found in items(namespace, "configmaps") if name_of(found) == f"{name}-locust-results"]

    (found,) = wait_until(f"the Job {name} has kept its results", kept, deadline_s, every_s=LOOK_EVERY_S)
    return dict(found["data"])


def _has_failed(job: Object) -> bool:
    return bool(job["status"].get("failed"))
