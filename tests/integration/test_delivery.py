"""Progressive delivery through a real gateway: a good change is promoted, a slow and a failing one are taken back.

Takes five minutes and builds Argo Rollouts with Go first: `nox -s integration` runs it, CI does not.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from answers import ask_at, close
from choices import Values, merged, prebuilt, server, slower
from cluster import items, wait_until
from gateway_api import Gateway, gateway, wait_until_routed
from gateway_api import definitions as gateway_definitions
from prometheus import SCRAPE_S, Prometheus
from records import Records
from release import Release
from rollouts import (
    definitions,
    failed_judgements,
    start_controller,
    wait_for_outcome,
    wait_until_stable,
    watched,
)
from steady import Load, steady_load

OLD, NEW, ALIAS = "onnx_fp32", "onnx_int8", "tiny"
WEIGHTS = [5, 25, 50]
# Far from what a small model takes on a busy machine, and from what the slow one takes.
OBJECTIVE_MS, SLOWER_S = 500, 1.0
RATE_PER_S = 25.0
SLOW = slower(NEW, SLOWER_S)
FAILING = (
    f"sed -i '/^model_warmup/,/^}}/d' {NEW}/config.pbtxt;"
    f" echo 'load = lambda *_: lambda arrays: 1 / 0' >>{NEW}/1/model.py"
)


@pytest.fixture(scope="module")
def entrance(namespace: str, gateway_image: str, rollouts_image: str) -> Iterator[Gateway]:
    """The gateway of the namespace, and the controller that shares its requests out."""
    with gateway_definitions(), definitions(), gateway(namespace, gateway_image) as started:
        start_controller(namespace, rollouts_image)
        yield started


@dataclass(frozen=True)
class Delivery:
    """A release whose changes reach clients in steps."""

    release: Release
    values: Values
    entrance: Gateway
    client: str

    def change(self, *values: Values) -> None:
        """Upgrades the release, which is only the beginning."""
        self.release.install(merged(self.values, *values), ["cpu"], wait=False)

    def load(self, pod: str) -> AbstractContextManager[Load]:
        """Both protocols through the gateway, while a block runs."""
        host = f"{self.release.name}.{self.release.namespace}.svc.cluster.local"
        addresses = self.entrance.addresses
        streams = [
            f"HTTP, the gateway=kept@{addresses['http']}/{ALIAS}?server={host}",
            f"gRPC, the gateway=grpc@{addresses['grpc']}/{ALIAS}?server={host}",
        ]
        return steady_load(self.release.namespace, self.client, pod, streams, rate_per_s=RATE_PER_S)

    def answer(self) -> list[float]:
        """What clients outside get at the moment, over gRPC."""
        found = ask_at(self.release.namespace, self.client, self.entrance.addresses, ALIAS)
        return list(found["grpc"]["output"])


@pytest.fixture(scope="module")
def delivery(namespace: str, images: dict[str, str], entrance: Gateway) -> Delivery:
    """One server of the old variant, and a Prometheus that watches it."""
    prometheus = Prometheus(namespace)
    judged = {
        "modelRepository": {"alias": ALIAS},
        # The gateway balances requests, and leaves Pods that stop: no connection of its own has to end by age, which
        # would end what is under way on it.
        "server": {"grpcMaxConnectionAgeSeconds": 0},
        "service": {"headless": False},
        "monitoring": {
            "podMonitor": {"enabled": True, "interval": f"{SCRAPE_S}s"},
            "prometheusRule": {"objective": {"p95Ms": OBJECTIVE_MS}},
        },
        "networkPolicy": {"monitoringNamespaces": [namespace]},
        "delivery": {
            "enabled": True,
            "weights": WEIGHTS,
            "judgement": {
                "prometheusAddress": prometheus.address,
                "windowSeconds": 15,
                "count": 2,
                "intervalSeconds": 5,
                "minRequests": 10,
                "queueMs": OBJECTIVE_MS / 2,
            },
        },
    }
    values = server(images, entrance.values, judged, models=[OLD])
    installed = Delivery(Release(namespace), values, entrance, images["locust"])
    installed.change()
    prometheus.start()
    prometheus.wait()
    wait_until_stable(namespace, installed.release.name)
    wait_until_routed(namespace)
    return installed


def _deliver(delivery: Delivery, pod: str, records: Records, *values: Values) -> tuple[str, str, dict, Load]:
    """Changes the server under load; how that ended, the revision that serves, the shares seen, and the load."""
    namespace, name = delivery.release.namespace, delivery.release.name
    before = wait_until_stable(namespace, name)
    with delivery.load(pod) as load, watched(namespace) as seen:
        started = time.monotonic()
        delivery.change(*values)
        outcome, serving = wait_for_outcome(namespace, name, before, 240)
        took_s = time.monotonic() - started
        # The gateway follows, and the Pods that are not needed any more drain.
        delivery.release.settle(1)
    assert (serving == before) is (outcome == "Degraded")
    records.add(f"progressive delivery, {pod.removeprefix('load-')}: {outcome}", took_s, load.report)
    return outcome, serving, seen.shares, load


def test_a_good_change_gets_its_shares_of_both_protocols_and_is_promoted_without_a_failed_request(
    delivery: Delivery, records: Records
) -> None:
    old = delivery.answer()
    outcome, _, shares, load = _deliver(delivery, "load-good", records, {"modelRepository": {"models": [NEW]}})
    assert outcome == "Healthy", failed_judgements(delivery.release.namespace)
    for kind in ("HTTPRoute", "GRPCRoute"):
        assert [share for share in shares[kind] if share in WEIGHTS] == WEIGHTS, shares
        assert shares[kind][-1] == 0
    assert load.failed == {}
    assert not close(delivery.answer(), old)


def test_a_slow_change_is_taken_back_by_the_objective(
    delivery: Delivery, images: dict[str, str], records: Records
) -> None:
    old = delivery.answer()
    slow = merged(prebuilt(images, spoil=SLOW), {"modelRepository": {"models": [NEW]}})
    outcome, _, shares, load = _deliver(delivery, "load-slow", records, slow)
    assert outcome == "Degraded"
    assert "p95-proxy-ms" in failed_judgements(delivery.release.namespace)
    assert max(shares["GRPCRoute"]) == max(shares["HTTPRoute"]) == WEIGHTS[0]
    assert load.failed == {}
    assert close(delivery.answer(), old)


def test_a_failing_change_meets_the_first_share_of_the_requests_alone(
    delivery: Delivery, images: dict[str, str], records: Records
) -> None:
    old = delivery.answer()
    failing = merged(prebuilt(images, spoil=FAILING), {"modelRepository": {"models": [NEW]}})
    outcome, _, shares, load = _deliver(delivery, "load-failing", records, failing)
    assert outcome == "Degraded"
    assert "error-percent" in failed_judgements(delivery.release.namespace)
    assert max(shares["HTTPRoute"]) == WEIGHTS[0]
    sent, failed = (sum(one[what] for one in load.report["streams"]) for what in ("requests", "failed"))
    assert 0 < failed < sent * 2 * WEIGHTS[0] / 100
    assert close(delivery.answer(), old)


def test_a_change_that_misses_the_objective_in_its_own_measurement_meets_no_client(
    delivery: Delivery, images: dict[str, str], records: Records
) -> None:
    measured = {
        "ratePerSecond": 5,
        "extraArgs": ["--effort=smoke"],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }
    # Another slow one: the first is known, and would be as it was.
    slow = merged(prebuilt(images, spoil=f"{SLOW}\n:"), {"modelRepository": {"models": [NEW]}})
    outcome, _, shares, load = _deliver(delivery, "load-measured", records, slow, {"delivery": {"measure": measured}})
    assert outcome == "Degraded"
    assert "slo-tuner" in failed_judgements(delivery.release.namespace)
    assert set(shares["HTTPRoute"]) == set(shares["GRPCRoute"]) == {0}
    assert load.failed == {}


def test_an_upgrade_during_a_change_leaves_its_shares(delivery: Delivery, records: Records) -> None:
    """Helm applies Services and routes again, into which the controller has written revisions and shares."""
    namespace, name = delivery.release.namespace, delivery.release.name
    before, back = wait_until_stable(namespace, name), {"modelRepository": {"models": [OLD]}}
    with delivery.load("load-back") as load, watched(namespace) as seen:
        started = time.monotonic()
        delivery.change(back)
        wait_until("the second share", lambda: WEIGHTS[1] in seen.shares.get("HTTPRoute", []), 120)
        delivery.change(back, {"monitoring": {"dashboards": {"enabled": True}}})
        outcome, _ = wait_for_outcome(namespace, name, before, 240)
        took_s = time.monotonic() - started
        delivery.release.settle(1)
    records.add(f"progressive delivery, with an upgrade during it: {outcome}", took_s, load.report)
    assert len([one for one in items(namespace, "configmaps") if "-dash-" in one["metadata"]["name"]]) > 0
    assert outcome == "Healthy", failed_judgements(namespace)
    for kind in ("HTTPRoute", "GRPCRoute"):
        rising = seen.shares[kind][: seen.shares[kind].index(WEIGHTS[-1])]
        assert rising == sorted(rising), seen.shares
    assert load.failed == {}
