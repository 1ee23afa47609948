"""GPU Pods: one for each GPU, on the nodes that values/gke-t4.yaml selects. The cluster has a T4, or pretends to."""

import json

import pytest
from choices import merged, server
from cluster import Object, get, is_ready, items, kubectl, name_of, wait_until
from release import Release

T4 = ("cloud.google.com/gke-accelerator", "nvidia-tesla-t4")


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """Two replicas with the T4's values; the image, the model source and the sizes are those of a CPU test."""
    cpu = {"image": {"registry": "", "repository": "triton-cpu", "tag": ""}, "modelRepository": {"source": "builder"}}
    # Several Pods may share a node, so that nothing but the GPUs limits them.
    free = {"placement": {"onePodPerNode": False}, "scaling": {"replicas": _gpus() + 1}}
    installed = Release(namespace)
    installed.install(merged(server(images), cpu, free), ["gke-t4"], wait=False)
    return installed


def _gpus() -> int:
    nodes = json.loads(kubectl("get", "nodes", "-l", "=".join(T4), "-o", "json"))["items"]
    count = sum(int(node["status"]["allocatable"].get("nvidia.com/gpu", 0)) for node in nodes)
    assert count, "no node is labelled as a T4 and offers nvidia.com/gpu: see tests/integration/README.md"
    return count


def _placed(release: Release) -> list[Object]:
    return [pod for pod in release.pods() if pod["spec"].get("nodeName")]


def test_each_gpu_gets_one_pod_on_a_t4_node(release: Release) -> None:
    wait_until("every GPU serves", lambda: sum(map(is_ready, release.pods())) == _gpus(), 90)
    for pod in _placed(release):
        triton = next(one for one in pod["spec"]["containers"] if one["name"] == "triton")
        assert triton["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert get("default", "node", pod["spec"]["nodeName"])["metadata"]["labels"][T4[0]] == T4[1]


def test_a_pod_without_a_gpu_stays_pending_and_its_event_says_why(release: Release) -> None:
    def reason() -> str:
        waiting = [name_of(pod) for pod in release.pods() if not pod["spec"].get("nodeName")]
        events = items(release.namespace, "events")
        about = [
            one for one in events if one["reason"] == "FailedScheduling" and one["involvedObject"]["name"] in waiting
        ]
        return str(about[-1]["message"]) if len(waiting) == 1 and about else ""

    assert "Insufficient nvidia.com/gpu" in wait_until("one Pod is not scheduled", reason, 60)
