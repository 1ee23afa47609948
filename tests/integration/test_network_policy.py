"""NetworkPolicies hold: who reaches HTTP, gRPC and metrics, from which namespace, and what the server reaches.

Skipped where the cluster does not enforce policies.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import tools
import yaml
from choices import server
from cluster import CommandFailed, Object, apply, get, is_ready, kubectl, run, wait_until
from release import ROOT, Release, start_pod, wait_for_end

PROBE = (Path(__file__).parent / "probe.py").read_text()
TRY_S = 8
HTTP, GRPC, METRICS = 8000, 8001, 8002
# A listener outside: a port for telemetry, one of a store, and one that no rule names.
OTLP, STORE, OTHER = 4318, 9000, 9001
LISTEN = f"""
import socket, threading
for port in ({OTLP}, {STORE}, {OTHER}):
    threading.Thread(target=lambda s=socket.create_server(("", port)): [s.accept() for _ in iter(int, 1)]).start()
"""
DENY_ALL: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny-all"},
    "spec": {"podSelector": {"matchLabels": {"denied": "yes"}}, "policyTypes": ["Ingress"]},
}


class Place:
    """A namespace from which addresses are probed, or in which something listens."""

    def __init__(self, namespace: str, image: str) -> None:
        self.namespace, self.image = namespace, image

    def listen(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Starts a listener; its address."""
        start_pod(self.namespace, name, self.image, ["python3", "/task/l.py"], {"l.py": LISTEN}, labels)
        wait_until(f"{name} listens", lambda: is_ready(get(self.namespace, "pod", name)), 180)
        return str(get(self.namespace, "pod", name)["status"]["podIP"])

    def start_probe(self, name: str, addresses: list[str], labels: Mapping[str, str] | None = None) -> None:
        """Starts to try addresses."""
        command = ["python3", "/task/probe.py", str(TRY_S), *addresses]
        start_pod(self.namespace, name, self.image, command, {"probe.py": PROBE}, labels)

    def probed(self, name: str) -> list[bool]:
        """Which of them opened."""
        return list(json.loads(wait_for_end(self.namespace, name)).values())


@pytest.fixture(scope="module")
def place(images: dict[str, str], other_namespaces: Callable[[str], str]) -> Callable[[str], Place]:
    """Makes a namespace of a purpose."""
    return lambda purpose: Place(other_namespaces(purpose), images["locust"])


@pytest.fixture(scope="module")
def outside(place: Callable[[str], Place]) -> Place:
    """A namespace that no rule names as a client."""
    return place("outside")


@pytest.fixture(scope="module")
def store(outside: Place) -> str:
    """The address of a listener outside. Skips where a policy that denies all of a Pod's clients denies nothing."""
    apply(outside.namespace, DENY_ALL)
    denied = outside.listen("denied", {"denied": "yes"})
    outside.start_probe("canary", [f"{denied}:{STORE}"])
    address = outside.listen("store")
    if outside.probed("canary") == [True]:
        pytest.skip("this cluster accepts NetworkPolicies and does not enforce them")
    return address


@pytest.fixture(scope="module")
def friends(place: Callable[[str], Place]) -> dict[str, Place]:
    """Namespaces that the policy names: one of clients, one of Prometheus."""
    return {"clients": place("clients"), "monitoring": place("monitoring")}


@pytest.fixture(scope="module")
def release(store: str, outside: Place, friends: dict[str, Place], namespace: str, images: dict[str, str]) -> Release:
    """A server whose policy names its friends, the collectors outside, and by its own rule one port of the store."""
    policy = {
        "clientNamespaces": [friends["clients"].namespace],
        "monitoringNamespaces": [friends["monitoring"].namespace],
        "telemetryNamespaces": [outside.namespace],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": f"{store}/32"}}], "ports": [{"port": STORE}]}],
    }
    installed = Release(namespace)
    installed.install(server(images, {"networkPolicy": policy}), ["cpu"])
    return installed


def _bucket_policy(release: str, url: str, cidrs: list[str]) -> Object:
    """The policy of a release that reads its models from a bucket."""
    values = {"modelRepository": {"source": "url", "url": url}, "networkPolicy": {"modelSourceCidrs": cidrs}}
    command = [str(tools.helm()), "template", release, str(ROOT / "charts" / "triton"), "--values", "-"]
    manifests = yaml.safe_load_all(
        run([*command, "--show-only=templates/networkpolicy.yaml"], stdin=json.dumps(values))
    )
    return dict(next(one for one in manifests if one))


def test_each_port_lets_in_those_that_the_values_name_and_nobody_else(
    release: Release, friends: dict[str, Place], outside: Place
) -> None:
    (pod,) = release.ready_pods()
    address = get(release.namespace, "pod", pod)["status"]["podIP"]
    ports = [f"{address}:{port}" for port in (HTTP, GRPC, METRICS)]
    places = {"own": Place(release.namespace, outside.image), "outside": outside, **friends}
    for one in places.values():
        one.start_probe("probe", ports)
    assert {name: one.probed("probe") for name, one in places.items()} == {
        "own": [True, True, False],
        "clients": [True, True, False],
        "monitoring": [False, False, True],
        "outside": [False, False, False],
    }


def test_the_server_reaches_names_telemetry_and_what_rules_of_ones_own_name(release: Release, store: str) -> None:
    (pod,) = release.ready_pods()

    def reaches(address: str, port: int) -> bool:
        script = f"timeout 3 bash -c '</dev/tcp/{address}/{port}'"
        try:
            kubectl("-n", release.namespace, "exec", pod, "-c", "triton", "--", "bash", "-c", script)
        except CommandFailed:
            return False
        return True

    kubectl("-n", release.namespace, "exec", pod, "-c", "triton", "--", "getent", "hosts", release.name)
    assert [reaches(store, port) for port in (OTLP, STORE, OTHER)] == [True, True, False]


def test_a_bucket_is_reached_at_the_port_of_its_url_and_no_private_address_unless_it_is_named(
    store: str, release: Release, outside: Place
) -> None:
    """Pods with a server's labels, held by the policy that the chart renders for it, in place of a server."""
    own = Place(release.namespace, outside.image)
    named = _bucket_policy("named", f"s3://http://{store}:{STORE}/bucket/models", [f"{store}/32"])
    public = _bucket_policy("public", f"s3://http://store.example.com:{STORE}/bucket/models", [])
    for policy in (named, public):
        apply(release.namespace, policy)
        selected = policy["spec"]["podSelector"]["matchLabels"]
        own.start_probe(
            f"bucket-{selected['app.kubernetes.io/instance']}", [f"{store}:{STORE}", f"{store}:{OTHER}"], selected
        )
    assert own.probed("bucket-named") == [True, False]
    assert own.probed("bucket-public") == [False, False]
