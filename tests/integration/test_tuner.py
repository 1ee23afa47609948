"""Tune, upgrade, measure again: the Job's values file makes the release serve more within the objective."""

import json

import pytest
import yaml
from choices import merged, server
from cluster import Object, items, name_of, wait_until
from release import ROOT, Release

MODEL, OBJECTIVE = "onnx_fp32", "p95<=300ms"
# One instance that takes one request at a time leaves the most to gain.
SLOW = {"modelRepository": {"tuning": {MODEL: {"maxBatchSize": 16, "instances": 1}}}}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    installed = Release(namespace)
    installed.install(merged(server(images), SLOW), files=["cpu"])
    return installed


def _job(release: Release, name: str, command: str, *arguments: str) -> Object:
    """The ConfigMap of a finished Job of charts/locust."""
    job = {
        "enabled": True,
        "command": command,
        "extraArgs": ["--effort=smoke", *arguments],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }
    values = {
        "swarm": {"enabled": False},
        "job": job,
        "target": {"address": "triton:8001", "model": MODEL},
        "objective": OBJECTIVE,
    }
    Release(release.namespace, ROOT / "charts" / "locust", name=name).install(values, wait=False)

    def kept() -> list[Object]:
        return [found for found in items(release.namespace, "configmaps") if name_of(found) == f"{name}-locust-results"]

    return wait_until(f"the Job {name} has kept its results", kept, 420, every_s=2)[0]


@pytest.fixture(scope="module")
def tuned(release: Release) -> dict[str, str]:
    """What the tuning kept, by file name."""
    found = _job(release, "tune", "tune", "--batches=1,4", "--instances=1,2", "--queue-delays-us=0")
    return dict(found["data"])


def test_the_job_keeps_the_values_file_with_its_evidence(tuned: dict[str, str]) -> None:
    assert set(tuned) == {"results.json", "values.yaml", "plan-entry.yaml"}
    assert json.loads(tuned["results.json"])["tuning"]["way"]


def test_the_tuning_leaves_the_server_as_it_was(release: Release, tuned: dict[str, str]) -> None:
    assert len(release.ready_pods()) == 1
    way = json.loads(tuned["results.json"])["tuning"]["way"]
    assert (way[0]["configuration"]["batch"], way[0]["configuration"]["instances"]) == (16, 1)


def test_the_upgraded_release_serves_what_the_tuning_promised(
    release: Release, tuned: dict[str, str], images: dict[str, str]
) -> None:
    promised = yaml.safe_load(tuned["values.yaml"])
    # The objective's monitoring values stay out: this cluster may lack the operator that they are for.
    chosen = {"modelRepository": promised["modelRepository"]}
    release.install(merged(server(images), chosen), files=["cpu"])
    capacity = promised["scaling"]["requestRate"]["perPodCapacity"]
    found = _job(release, "again", "measure", f"--rate={0.7 * capacity:.1f}")
    (model,) = json.loads(found["data"]["results.json"])["models"]
    winner = json.loads(tuned["results.json"])["tuning"]["way"][-1]["configuration"]
    assert model["server_config"]["max_batch_size"] == winner["batch"]
    assert model["server_config"]["instance_group"][0]["count"] == winner["instances"]
    assert model["met"], "70 % of the capacity that was measured is kept by the upgraded release"
