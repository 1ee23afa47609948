"""TensorFlow Serving's REST API beside Triton on a cluster: reached by the Service, no request lost by a restart."""

import time
import urllib.error
import urllib.request

import pytest
from choices import server
from cluster import forwarded, kubectl
from records import Records
from release import Release
from steady import steady_load

MODEL = "onnx_fp32"
SMALL_FRONT = {
    "maxRequestMegabytes": 4,
    "maxAnswerMegabytes": 8,
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server with the front beside it."""
    installed = Release(namespace)
    installed.install(server(images, {"tfservingFront": SMALL_FRONT}), ["cpu", "tfserving-front"])
    return installed


def _status(address: str, path: str, body: bytes | None = None) -> int:
    """The status of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, data=body), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_front_s_port_leads_to_none_of_triton_s_own_calls(release: Release) -> None:
    own = [f"/v2/models/{MODEL}/{end}" for end in ("", "infer", "config", "stats", "trace/setting", "versions/1/infer")]
    own += ["/v2/models/stats", "/v2/trace/setting", "/v2/logging", "/v2/repository/index"]
    own += [f"/v2/repository/models/{MODEL}/unload", "/v2/systemsharedmemory/status", "/v2/cudasharedmemory/status"]
    with forwarded(release.namespace, release.name, 8888) as address:
        assert _status(address, f"/v1/models/{MODEL}") == 200
        found = {path: (_status(address, path), _status(address, path, b"{}")) for path in own}
    assert {path: statuses for path, statuses in found.items() if set(statuses) - {404, 405}} == {}


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
