"""Tune with workers in Pods, upgrade by the documented command, measure again: the release keeps what it missed before.

The model waits 50 ms for each batch, as for an accelerator: its rate follows from its configuration, not from the cores
that server and load share here. As found, one instance with batches of two, it serves less than 40 requests/s.
"""

import json
from typing import Any

import pytest
import yaml
from choices import SMALL, Values, merged, prebuilt, server
from cluster import kubectl, wait_until
from jobs import ends, pods, run_job, said, start_job
from release import TIMEOUT_S, Release

MODEL = "onnx_fp32"
WAITS = rf"sed -i 's/^        results = self.run(/        __import__(\"time\").sleep(0.05)\n&/' {MODEL}/1/model.py"
AS_FOUND = {"modelRepository": {"tuning": {MODEL: {"maxBatchSize": 2, "instances": 1}}}}
LOAD: Values = {"target": {"address": "triton:8001", "model": MODEL}, "objective": "p95<=400ms", "workers": SMALL}
WORKERS = 2


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    installed = Release(namespace)
    installed.install(merged(server(images), prebuilt(images, spoil=WAITS), AS_FOUND), files=["cpu"])
    return installed


@pytest.fixture(scope="module")
def tuned(release: Release) -> dict[str, str]:
    """What the tuning kept, by file name."""
    choices = ["--effort=smoke", "--batches=2", "--instances=1,3", "--queue-delays-us=0"]
    job = {"command": "tune", "workers": WORKERS, "extraArgs": choices}
    return run_job(release.namespace, "tune", job, 240, **LOAD)


@pytest.fixture(scope="module")
def promised(tuned: dict[str, str]) -> Values:
    """The values file."""
    return dict(yaml.safe_load(tuned["values.yaml"]))


def _measured(release: Release, name: str, promised: Values) -> dict[str, Any]:
    """The result at a rate well below what was promised, and well above what was found."""
    rate = 0.6 * promised["scaling"]["requestRate"]["perPodCapacity"]
    job = {"command": "measure", "extraArgs": [f"--rate={rate:.1f}", "--effort=brisk"]}
    (model,) = json.loads(run_job(release.namespace, name, job, 90, **LOAD)["results.json"])["models"]
    return dict(model)


@pytest.fixture(scope="module")
def before(release: Release, promised: Values) -> dict[str, Any]:
    """Measured on the release as it was installed."""
    return _measured(release, "before", promised)


@pytest.fixture(scope="module")
def after(release: Release, before: dict[str, Any], promised: Values) -> dict[str, Any]:
    """Measured on the release as it was upgraded by the documented command."""
    found = ["get", "configmap", "tune-locust-results", "-o", r"jsonpath={.data.values\.yaml}"]
    values = kubectl("-n", release.namespace, *found)
    upgrade = ["upgrade", "triton", str(release.chart), "--reset-then-reuse-values", "--values", "-"]
    release.helm(*upgrade, "--wait", f"--timeout={TIMEOUT_S}s", stdin=values)
    release.settle(1)
    return _measured(release, "after", promised)


def _served(model: dict[str, Any]) -> tuple[int, int]:
    """The largest batch and the instances that were measured."""
    config = model["server_config"]
    return config["max_batch_size"], config["instance_group"][0]["count"]


def test_the_job_keeps_the_values_file_with_its_evidence(tuned: dict[str, str]) -> None:
    assert set(tuned) == {"results.json", "values.yaml", "plan-entry.yaml"}
    assert json.loads(tuned["results.json"])["tuning"]["path"]


def test_the_load_came_from_the_worker_pods(release: Release, tuned: dict[str, str]) -> None:
    results = json.loads(tuned["results.json"])
    assert results["run"]["load_workers"] == WORKERS
    came = pods(release.namespace, "tune", "job-worker")
    assert len(came) == WORKERS and all(pod in said(release.namespace, "tune") for pod in came)
    assert all(not point["errors"] for model in results["models"] for point in model["points"])


def test_the_workers_end_with_the_tuner(release: Release, tuned: dict[str, str]) -> None:
    wait_until("both Jobs are complete", lambda: ends(release.namespace, "tune") == ["Complete", "Complete"], 30)


def test_the_tuning_leaves_the_server_as_it_was(before: dict[str, Any]) -> None:
    assert _served(before) == (2, 1)


def test_the_upgraded_release_keeps_a_rate_that_it_missed_before(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert _served(after) == (2, 3)
    assert before["rate_per_s"] is None
    assert after["rate_per_s"]


def test_a_worker_that_is_lost_midway_is_named(release: Release) -> None:
    job = {"command": "measure", "workers": WORKERS, "extraArgs": ["--rate=10", "--effort=full"]}
    start_job(release.namespace, "lost", job, **LOAD)
    wait_until("both workers have come", lambda: "load workers:" in said(release.namespace, "lost"), 60)
    lost = pods(release.namespace, "lost", "job-worker")[0]
    kubectl("-n", release.namespace, "delete", "pod", lost, "--wait=false")
    wait_until("the Job has failed", lambda: "Failed" in ends(release.namespace, "lost"), 60)
    assert f"(on {lost}) has left" in said(release.namespace, "lost")
