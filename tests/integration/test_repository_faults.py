"""A faulty model repository: the new Pod does not become ready and says why, the old one goes on serving."""

import pytest
from answers import ask
from choices import merged, prebuilt, server
from cluster import log, name_of, wait_until
from release import Release

MODEL = "onnx_fp32"
# What spoils the repository, and what the server's log must then say.
FAULTS = {
    "missing model": (f"rm -r {MODEL}", f"'{MODEL}': model not found"),
    "corrupt artefact": (f"truncate -s 100 {MODEL}/1/model.onnx", "model.onnx failed"),
    "bad config.pbtxt": (
        f"echo 'max_batch_size: many' >>{MODEL}/config.pbtxt",
        f"failed to read text proto from /models/{MODEL}",
    ),
}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server of a good repository."""
    installed = Release(namespace)
    installed.install(server(images), ["cpu"])
    return installed


@pytest.mark.parametrize("fault", FAULTS)
def test_old_server_serves_while_the_new_one_says_what_is_wrong(
    fault: str, release: Release, images: dict[str, str]
) -> None:
    spoil, reason = FAULTS[fault]
    good, known = release.ready_pods(), {name_of(pod) for pod in release.pods()}
    release.install(server(images, prebuilt(images, spoil=spoil)), ["cpu"], wait=False)

    def complaint() -> str:
        for pod in release.pods():
            if name_of(pod) in known:
                continue
            status = next(iter(pod["status"].get("containerStatuses", [])), {})
            ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
            if ended and ended["exitCode"]:
                previous = ["--previous"] if status["restartCount"] else []
                return log(release.namespace, name_of(pod), "-c", "triton", *previous)
        return ""

    said = wait_until("the server of the faulty repository ends with an error", complaint, 60)
    assert reason in said
    assert release.ready_pods() == good
    assert ask(release.namespace, images["locust"], release.name, MODEL)["grpc"]["model"] == MODEL


def test_repaired_repository_recovers(release: Release, images: dict[str, str]) -> None:
    values = server(images, prebuilt(images, spoil=f"rm -r {MODEL}"))
    release.install(values, ["cpu"], wait=False)
    release.install(merged(values, prebuilt(images, spoil="true # repaired")), ["cpu"])
    release.settle(1)
    assert ask(release.namespace, images["locust"], release.name, MODEL)["http"]["model"] == MODEL
