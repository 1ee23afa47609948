"""A faulty model repository: the new Pod does not become ready and says why, the old one goes on serving."""

import pytest
from answers import ask
from choices import merged, prebuilt, server
from cluster import Object, log, name_of, wait_until
from release import Release

MODEL = "onnx_fp32"
# What spoils the repository, what the server's log must then say, and what the Pod's status: the end of that log, which
# with a wide table in it does not reach back to each cause.
FAILED = "failed to load all models"
FAULTS = {
    "missing model": (f"rm -r {MODEL}", f"'{MODEL}': model not found", FAILED),
    "corrupt artefact": (f"truncate -s 100 {MODEL}/1/model.onnx", "model.onnx failed", "model.onnx failed"),
    "bad config.pbtxt": (
        f"echo 'max_batch_size: many' >>{MODEL}/config.pbtxt",
        f"failed to read text proto from /models/{MODEL}",
        FAILED,
    ),
}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server of a good repository."""
    installed = Release(namespace)
    installed.install(server(images), ["cpu"])
    return installed


def _cause(pod: Object) -> str:
    """What `kubectl describe` says of the Pod's server when it has ended with an error, now or the last time."""
    status = next(iter(pod["status"].get("containerStatuses", [])), {})
    ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    return str(ended.get("message", "no message")) if ended and ended["exitCode"] else ""


def _said(namespace: str, pod: str) -> str:
    """The log of the server and of the one before it: Kubernetes may start another at any moment."""
    return log(namespace, pod, "-c", "triton") + log(namespace, pod, "-c", "triton", "--previous")


@pytest.mark.parametrize("fault", FAULTS)
def test_old_server_serves_while_the_new_one_says_what_is_wrong(
    fault: str, release: Release, images: dict[str, str]
) -> None:
    spoil, reason, status = FAULTS[fault]
    good, known = release.ready_pods(), {name_of(pod) for pod in release.pods()}
    release.install(server(images, prebuilt(images, spoil=spoil)), ["cpu"], wait=False)

    def complained() -> bool:
        new = [pod for pod in release.pods() if name_of(pod) not in known]
        return any(status in _cause(pod) and reason in _said(release.namespace, name_of(pod)) for pod in new)

    wait_until(
        f"the server of the faulty repository ends, its log says {reason!r} and its status {status!r}", complained, 60
    )
    assert release.ready_pods() == good
    assert ask(release.namespace, images["locust"], release.name, MODEL)["grpc"]["model"] == MODEL


def test_repaired_repository_recovers(release: Release, images: dict[str, str]) -> None:
    values = server(images, prebuilt(images, spoil=f"rm -r {MODEL}"))
    release.install(values, ["cpu"], wait=False)
    release.install(merged(values, prebuilt(images, spoil="true # repaired")), ["cpu"])
    release.settle(1)
    assert ask(release.namespace, images["locust"], release.name, MODEL)["http"]["model"] == MODEL
