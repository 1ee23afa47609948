"""The values of docs/how-to/scale-to-zero.md with KEDA's HTTP add-on: Pods come and go, and no request fails.

Needs the programs of the add-on (README.md) and takes eight minutes: CI leaves it out.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import tools
import yaml
from answers import close, local_output
from choices import Values, merged, prebuilt, server, slower
from cluster import get, wait_until
from keda_http import ask_held, held_stream, http_addon
from records import Records
from release import ROOT, Release

try:
    tools.http_addon()
except tools.ToolMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)

MODEL = "onnx_fp32"
HOSTS = {"http": "models.example.com", "grpc": "grpc.models.example.com"}
COOLDOWN_S = 10
# Seldom enough that KEDA finds nothing under way and stops the Pod between them, again and again.
RATE_PER_S, STREAM_S = 0.3, 150.0
# More than eight requests at once: each execution of a batch takes SLOWER_S longer.
STEADY_PER_S, MORE_PER_S, SLOWER_S = 3.0, 40.0, 0.3


@pytest.fixture(scope="module")
def addon(http_addon_image: tuple[Path, str]) -> Iterator[None]:
    """The add-on, for the whole cluster."""
    with http_addon(*http_addon_image):
        yield


def _page() -> Values:
    """The values of the page, with a cool-down for which a test can wait."""
    text = (ROOT / "docs" / "how-to" / "scale-to-zero.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    values: Values = yaml.safe_load(block)
    (scaled,) = [one for one in values["extraObjects"] if one["kind"] == "ScaledObject"]
    scaled["spec"]["cooldownPeriod"] = COOLDOWN_S
    return values


@pytest.fixture(scope="module")
def values(images: dict[str, str]) -> Values:
    return server(images, prebuilt(images), _page())


@pytest.fixture(scope="module")
def release(namespace: str, values: Values, addon: None) -> Release:
    """The release of the page, which has no Pod: nobody has asked yet."""
    installed = Release(namespace)
    installed.install(values, ["cpu"])
    # Where KEDA can't reach the scaler at this moment, its autoscaler gets Kubernetes' default, the CPU, and keeps it.
    autoscaler = get(namespace, "hpa", f"keda-hpa-{installed.name}")
    assert {metric["type"] for metric in autoscaler["spec"]["metrics"]} == {"External"}
    return installed


def _replicas(release: Release) -> int:
    return int(get(release.namespace, "deployment", release.name)["spec"]["replicas"])


def _revision(release: Release) -> int:
    annotations = get(release.namespace, "deployment", release.name)["metadata"]["annotations"]
    return int(annotations["deployment.kubernetes.io/revision"])


def _wait_for_zero(release: Release) -> float:
    """How long it takes, in seconds, until KEDA has set the Deployment to no Pod, once the last one has gone too."""
    started = time.monotonic()
    wait_until("KEDA has set the Deployment to 0", lambda: _replicas(release) == 0, COOLDOWN_S + 60)
    took_s = time.monotonic() - started
    release.settle(0)
    return took_s


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_request_that_finds_no_pod_is_held_until_one_is_ready(
    release: Release,
    protocol: str,
    images: dict[str, str],
    builder_python: str,
    models: Path,
    records: Records,
) -> None:
    _wait_for_zero(release)
    found = ask_held(release.namespace, images["locust"], protocol, HOSTS[protocol], MODEL)
    assert close(found["output"], local_output(builder_python, models, MODEL))
    assert found["cold"] == (["true"] if protocol == "http" else [])
    zero_s = _wait_for_zero(release)
    records.add_held(protocol, found["held_s"], COOLDOWN_S, zero_s)
    assert zero_s > COOLDOWN_S / 2


def test_no_request_fails_while_pods_go_and_come_again(
    release: Release, images: dict[str, str], records: Records
) -> None:
    _wait_for_zero(release)
    before = Counter(release.scalings())
    with held_stream((release.namespace, "held-seldom", images["locust"]), HOSTS, MODEL, RATE_PER_S) as stream:
        ended = time.monotonic() + STREAM_S
        wait_until("the time of the stream is over", lambda: time.monotonic() > ended, STREAM_S + 5)
    seen = Counter(release.scalings()) - before
    counted = {"starts": seen[0, 1], "stops": seen[1, 0]}
    records.add("down to no Pod and up again", stream.report["seconds"], stream.report | counted)
    assert min(counted.values()) >= 2, seen
    assert stream.failed == {}
    assert all(one["held"] for one in stream.report["streams"])


def test_an_upgrade_while_there_is_no_pod_goes_through_and_leaves_none(release: Release, values: Values) -> None:
    """KEDA's 0 belongs to no field manager, so Helm 4 meets no conflict: it sets 1, and KEDA 0 again."""
    _wait_for_zero(release)
    before = _revision(release)
    release.install(merged(values, {"server": {"exitTimeoutSeconds": 11}}), ["cpu"], wait=False)
    wait_until("the Deployment has a new revision", lambda: _revision(release) > before, 60)
    _wait_for_zero(release)


def test_no_request_fails_while_the_interceptor_s_count_adds_pods_and_removes_them(
    release: Release, values: Values, images: dict[str, str], records: Records
) -> None:
    _wait_for_zero(release)
    slow = prebuilt(images, spoil=slower(MODEL, SLOWER_S))
    release.install(merged(values, slow), ["cpu"], wait=False)
    namespace, image = release.namespace, images["locust"]
    with held_stream((namespace, "held-steady", image), HOSTS, MODEL, STEADY_PER_S) as steady:
        with held_stream((namespace, "held-more", image), HOSTS, MODEL, MORE_PER_S) as more:
            wait_until("more than one Pod", lambda: len(release.ready_pods()) > 1, 90)
        started = time.monotonic()
        release.settle(1, deadline_s=400)
        took_s = time.monotonic() - started
    records.add("more Pods and fewer by the interceptor's count", took_s, steady.report)
    assert more.failed == {}
    assert steady.failed == {}
