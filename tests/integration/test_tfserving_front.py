"""TensorFlow Serving's REST API beside Triton on a cluster: reached by the Service, no request lost by a restart."""

import time

import pytest
from choices import server
from cluster import kubectl
from records import Records
from release import Release
from steady import steady_load

MODEL = "onnx_fp32"
SMALL_FRONT = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server with the front beside it."""
    installed = Release(namespace)
    installed.install(server(images, {"tfservingFront": SMALL_FRONT}), ["cpu", "tfserving-front"])
    return installed


def test_a_rolling_restart_fails_no_rest_request(release: Release, images: dict[str, str], records: Records) -> None:
    stream = f"REST, the Service=rest@{release.name}.{release.namespace}.svc.cluster.local:8888/{MODEL}"
    with steady_load(release.namespace, images["locust"], "load-rest", [stream]) as load:
        started, before = time.monotonic(), release.ready_pods()
        kubectl("-n", release.namespace, "rollout", "restart", f"deployment/{release.name}")
        release.settle(1, without=before)
        took_s = time.monotonic() - started
    records.add("rolling restart of one server with the REST front", took_s, load.report)
    assert load.report["streams"][0]["requests"] > 20
    assert load.failed == {}
