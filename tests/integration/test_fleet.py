"""The simulated fleet has as many Pods, and requests as late, as the real one: a trace, scaled down, on KEDA.

FLEET_RUNS says how often (default 1): three runs on a machine with nothing else to do are the comparison of
docs/explanation/fleet.md.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from choices import Values, prebuilt, server, slower
from cluster import items, kubectl
from prometheus import SCRAPE_S, Prometheus
from release import Release
from steady import steady_load, streams

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.capacity.queue_model import ServiceTime
from slo_tuner.fleet.pod_queue import PodModel
from slo_tuner.fleet.pod_table import TableSpec, make_table
from slo_tuner.fleet.settings import FleetPlan, Nodes, ScalingSettings, StartUp
from slo_tuner.fleet.simulate import Outcome, PricedPod, simulate
from slo_tuner.fleet.values_file import scaling_values
from slo_tuner.load.traffic.trace import Trace

MODEL = "onnx_fp32"
FILES = ["cpu", "autoscale-keda"]
# Every batch takes 40 ms longer, so that a server's speed does not follow from what else the machine does.
SLOWER = slower(MODEL, 0.04)
CAPACITY_PER_S = 5.0
LIMIT_MS = 100
SCALING = ScalingSettings(
    least=1,
    most=4,
    rate_target_percent=80,
    cooldown_s=30,
    window_s=15,
    polling_s=5,
    up_period_s=15,
    down_percent=50,
    down_period_s=15,
)
STEPS = ((60, 3.0), (70, 14.5), (60, 9.5), (80, 3.0))
SECONDS = sum(seconds for seconds, _ in STEPS)
SYNC_S = float(os.environ.get("HPA_SYNC_S", "5"))


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """A server, scaled by its request rate."""
    installed, prometheus = Release(namespace), Prometheus(namespace)
    scaling = scaling_values(SCALING, CAPACITY_PER_S)
    scaling["keda"] |= {"prometheusAddress": prometheus.address}
    watched: Values = {
        "scaling": scaling,
        "monitoring": {"podMonitor": {"interval": f"{SCRAPE_S}s"}},
        "networkPolicy": {"monitoringNamespaces": [namespace]},
        "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}},
    }
    installed.install(server(images, prebuilt(images, spoil=SLOWER), watched), FILES, wait=False)
    prometheus.start()
    prometheus.wait()
    installed.settle(1)
    kubectl("-n", namespace, "wait", "--for=condition=Ready", f"scaledobject/{installed.name}", "--timeout=90s")
    return installed


def _ready(release: Release) -> int:
    (deployment,) = items(release.namespace, "deployments")
    return int(deployment["status"].get("readyReplicas", 0))


def _start_s(release: Release) -> float:
    """Seconds from a Pod's creation until it is ready, of the one that runs."""
    (pod,) = [one for one in items(release.namespace, "pods") if one["metadata"]["name"] in release.ready_pods()]
    times = {one["type"]: one["lastTransitionTime"] for one in pod["status"]["conditions"]}
    first, last = (
        time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
        for text in (pod["metadata"]["creationTimestamp"], times["Ready"])
    )
    return last - first


def _simulated(start_s: float) -> Outcome:
    """What the fleet does with the steps."""
    service = ServiceTime(own=0.042, fixed=0.0, item=0.0, width=4.0, friction=0.0)
    spec = TableSpec(LIMIT_MS / 1000, 10.0, samples=6000)
    table = make_table(PodModel(Configuration(batch=1, instances=1), service), spec)
    rates = np.concatenate([np.full(seconds, rate) for seconds, rate in STEPS])
    plan = FleetPlan(
        scaling=SCALING,
        start_up=StartUp(node_s=0, image_s=0, load_s=start_s, warm_up_s=0),
        nodes=Nodes(zones=1, drain_s=5),
        sync_s=SYNC_S,
        scrape_s=SCRAPE_S,
    )
    return simulate(Trace("steps", 1.0, rates), PricedPod(table, CAPACITY_PER_S, 1.0), plan)


def _real(release: Release, image: str, run: int) -> tuple[np.ndarray, float]:
    """Of the cluster while the trace is sent: Pods that serve in each second, and the share of late requests."""
    (balanced, *_) = streams(release.name, release.namespace, MODEL)
    text = ",".join(f"{seconds}x{rate}" for seconds, rate in STEPS)
    seen = np.zeros(SECONDS)
    with steady_load(release.namespace, image, f"trace-{run}", [balanced], rate_per_s=text) as load:
        started = time.monotonic()
        while (now := time.monotonic() - started) < SECONDS:
            seen[int(now) :] = _ready(release)
            time.sleep(1.0)
    assert load.failed == {}
    (stream,) = load.report["streams"]
    return seen, float(stream["late_shares"][str(LIMIT_MS)])


def test_pods_over_time_are_those_of_the_simulation_within_one(
    release: Release, images: dict[str, str], tmp_path: Path
) -> None:
    start_s, runs = _start_s(release), int(os.environ.get("FLEET_RUNS", "1"))
    outcome, near, late = _simulated(start_s), [], []
    expected = outcome.pods
    for run in range(runs):
        seen, late_share = _real(release, images["locust"], run)
        near.append(float((np.abs(seen - expected) <= 1).mean()))
        late.append(late_share)
        kept = {
            "start_s": start_s,
            "real": seen.tolist(),
            "simulated": expected.tolist(),
            "within_one": near[-1],
            "late_share": late_share,
            "simulated_late_share": outcome.late_share,
        }
        (tmp_path / f"run-{run}.json").write_text(json.dumps(kept))
        print(json.dumps(kept))
        release.settle(1)
    assert expected.max() == SCALING.most
    assert min(near) >= 0.9, near
    if runs >= 3:
        spread = max(late) - min(late)
        assert min(late) - spread <= outcome.late_share <= max(late) + spread, (late, outcome.late_share)
