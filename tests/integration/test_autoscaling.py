"""KEDA adds a Pod when requests wait and takes it away afterwards, and nothing else changes the number of Pods."""

import time

import pytest
from choices import Values, merged, prebuilt, server, slower
from cluster import kubectl
from prometheus import SCRAPE_S, Prometheus
from records import Records
from release import Release
from steady import steady_load, streams, under_every_client

MODEL = "onnx_fp32"
FILES = ["cpu", "autoscale-keda"]
# Each execution of a batch takes 40 ms longer, so that queues follow from the requests and not from how busy the
# machine is. The target is far from all of them: by calculation BURST requests at once wait for more than 150 ms in the
# mean for one server and half of that for two, and the quiet requests, 6.5 a second in all, for 3 to 10 ms. With a
# target of 12 ms the number of Pods swung once, on a busy machine.
SLOWER = slower(MODEL, 0.04)
BURST, BURSTS_PER_S, TARGET_MS = 120, 0.5, 40
QUIET = {"rate_per_s": 1.5, "independent_per_s": 0.4}


@pytest.fixture(scope="module")
def values(namespace: str, images: dict[str, str]) -> Values:
    """One server or two, scaled by what a Prometheus of the test's own knows."""
    prometheus = Prometheus(namespace)
    scaling = {
        "maxReplicas": 2,
        "cooldownSeconds": 15,
        "windowSeconds": 15,
        "queueTime": {"targetMs": TARGET_MS},
        "keda": {"prometheusAddress": prometheus.address, "pollingIntervalSeconds": SCRAPE_S},
    }
    watched = {
        "monitoring": {"podMonitor": {"interval": f"{SCRAPE_S}s"}},
        "networkPolicy": {"monitoringNamespaces": [namespace]},
    }
    return server(images, prebuilt(images, spoil=SLOWER), watched, {"scaling": scaling})


@pytest.fixture(scope="module")
def release(namespace: str, values: Values) -> Release:
    """One server, which KEDA watches."""
    installed, prometheus = Release(namespace), Prometheus(namespace)
    # Helm would wait for KEDA, which waits for a Prometheus that starts when there is something to scrape.
    installed.install(values, FILES, wait=False)
    prometheus.start()
    prometheus.wait()
    installed.settle(1)
    kubectl("-n", namespace, "wait", "--for=condition=Ready", f"scaledobject/{installed.name}", "--timeout=90s")
    return installed


def test_pods_follow_the_queue_time_and_an_upgrade_keeps_their_number(
    release: Release, values: Values, images: dict[str, str], records: Records
) -> None:
    namespace, client = release.namespace, images["locust"]
    clients = streams(release.name, namespace, MODEL)

    with under_every_client(release, client, "load-out", MODEL, **QUIET) as load:
        bursts = steady_load(namespace, client, "bursts", clients[:1], rate_per_s=BURST * BURSTS_PER_S, burst=BURST)
        with bursts as burst_load:
            started = time.monotonic()
            release.settle(2)
            took_s = time.monotonic() - started
            release.install(merged(values, {"monitoring": {"dashboards": {"enabled": True}}}), FILES)
            assert len(release.ready_pods()) == 2
            assert release.scalings() == [(0, 1), (1, 2)]
    records.add("scale-out by KEDA, and an upgrade", took_s, load.report)
    assert load.failed == burst_load.failed == {}

    started = time.monotonic()
    with under_every_client(release, client, "load-in", MODEL, **QUIET) as load:
        release.settle(1)
        took_s = time.monotonic() - started
    records.add("scale-in by KEDA", took_s, load.report)
    assert load.failed == {}
    assert release.scalings() == [(0, 1), (1, 2), (2, 1)]
