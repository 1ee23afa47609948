"""What takes servers away under load: nothing that is planned may fail a request; what a crash costs is reported."""

import json
import time
from collections.abc import Callable

import crash
import pytest
from choices import server
from cluster import CommandFailed, kubectl
from records import Records
from release import Release
from steady import Load, under_every_client

MODEL = "onnx_fp32"
# A crashed server's Pod is known to be gone, and its clients connected elsewhere, within this time.
RECOVERED_S = 20.0

Under = Callable[[str, Callable[[Release], None]], Load]


@pytest.fixture(scope="module")
def release(namespace: str) -> Release:
    """The release; `under_load` installs it."""
    return Release(namespace)


@pytest.fixture
def under_load(release: Release, images: dict[str, str], records: Records) -> Under:
    """Runs a change with two servers under steady load, until the change has completely happened."""

    def run(name: str, change: Callable[[Release], None], command: list[str] | None = None) -> Load:
        values = server(images, {"server": {"command": command or ["tritonserver"]}}, replicas=2)
        before = release.ready_pods()
        release.install(values, ["cpu"])
        if command and before:
            release.settle(2, without=before)
        release.settle(2)
        pod = "load-" + name.lower().replace(" ", "-")
        with under_every_client(release, images["locust"], pod, MODEL) as load:
            started = time.monotonic()
            change(release)
            took_s = time.monotonic() - started
        records.add(name, took_s, load.report)
        return load

    return run


def test_rolling_restart_fails_no_request(under_load: Under) -> None:
    def restart(release: Release) -> None:
        before = release.ready_pods()
        kubectl("-n", release.namespace, "rollout", "restart", f"deployment/{release.name}")
        release.settle(2, without=before)

    assert under_load("rolling restart", restart).failed == {}


def _evict(namespace: str, pod: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def test_eviction_fails_no_request_and_keeps_to_the_disruption_budget(under_load: Under) -> None:
    def evict(release: Release) -> None:
        first, second = release.ready_pods()
        _evict(release.namespace, first)
        with pytest.raises(CommandFailed, match="would violate the pod's disruption budget"):
            _evict(release.namespace, second)
        release.settle(2, without=[first])

    assert under_load("eviction", evict).failed == {}


def test_deleting_a_pod_fails_no_request(under_load: Under) -> None:
    def delete(release: Release) -> None:
        pod = release.ready_pods()[0]
        kubectl("-n", release.namespace, "delete", "pod", pod, "--wait=false")
        release.settle(2, without=[pod])

    assert under_load("deletion of a Pod", delete).failed == {}


def test_scaling_down_fails_no_request(under_load: Under, images: dict[str, str]) -> None:
    def scale_down(release: Release) -> None:
        release.install(server(images, replicas=1), ["cpu"])
        release.settle(1)

    assert under_load("scale-down", scale_down).failed == {}


def test_a_killed_server_fails_few_requests_and_clients_recover(under_load: Under) -> None:
    killed_at = []

    def kill(release: Release) -> None:
        pod = release.ready_pods()[0]
        killed_at.append(time.time())
        crash.kill(release.namespace, pod)
        kubectl("-n", release.namespace, "wait", f"pod/{pod}", "--for=condition=Ready=false", "--timeout=30s")
        release.settle(2)

    load = under_load("kill -9 of a server", kill, command=crash.COMMAND)
    balanced = load.report["streams"][0]
    # At 10 requests a second of a few milliseconds each, no more than these are in flight on one of two servers.
    assert balanced["failed"] <= 2, balanced["reasons"]
    late = [
        one for stream in load.report["streams"] for one in stream["failures"] if one["at"] > killed_at[0] + RECOVERED_S
    ]
    assert late == []
