"""Two pools of servers from one release, on a real cluster."""

import pytest
from answers import ask
from choices import Values, merged, server
from cluster import name_of
from release import Release

POOLS = {"plain": "onnx_fp32", "small": "onnx_int8"}
LABEL = "inference-system/pool"


def _values(images: dict[str, str], *more: Values) -> Values:
    pools = {pool: {"modelRepository": {"models": [model]}} for pool, model in POOLS.items()}
    return merged(server(images), {"pools": pools}, *more)


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """A release of two pools, one Pod each."""
    installed = Release(namespace)
    installed.install(_values(images), ["cpu"])
    return installed


def _pods(release: Release) -> dict[str, list[str]]:
    """Names of each pool's Pods."""
    pods = release.pods()
    return {pool: sorted(name_of(pod) for pod in pods if pod["metadata"]["labels"][LABEL] == pool) for pool in POOLS}


def test_each_pool_answers_with_its_own_model(release: Release, images: dict[str, str]) -> None:
    for pool, model in POOLS.items():
        answers = ask(release.namespace, images["locust"], f"{release.name}-{pool}", model)
        assert {answers[protocol]["model"] for protocol in ("http", "grpc")} == {model}


def test_the_tests_of_the_release_ask_every_pool(release: Release) -> None:
    report = release.test()
    assert all(f"{release.name}-{pool}" in report for pool in POOLS), report


def test_an_upgrade_of_one_pool_leaves_the_others_pods(release: Release, images: dict[str, str]) -> None:
    before = _pods(release)
    release.install(_values(images, {"pools": {"small": {"scaling": {"replicas": 2}}}}), ["cpu"])
    release.settle(3)
    after = _pods(release)
    assert after["plain"] == before["plain"]
    assert len(after["small"]) == 2 and set(before["small"]) <= set(after["small"])
