"""Several pools of servers in one release: each with objects of its own, that select and reach it alone."""

import re
from typing import Any

import pytest
from cases import EVERYTHING, PLAN, URL, at, with_values
from render import HelmRefused, Manifest, kinds, one, render
from validation import errors, restricted_violations

MONITORED = {"monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}}
ROUTED = {
    "gateway": {
        "enabled": True,
        "create": {"enabled": True, "className": "gateway-class"},
        "http": {"hostnames": ["http.example.com"]},
        "grpc": {"enabled": False},
    },
    "networkPolicy": {"clientNamespaces": ["gateway"]},
}
# One T4 with TF-TRT, one CPU with ONNX Runtime: the values file, and what it leaves to its user.
NEEDED = {
    "pools": {
        "t4": {"modelRepository": {"url": "gs://bucket/models"}},
        "cpu": {"modelRepository": {"builder": {"plan": PLAN.replace("original", "onnx_int8")}}},
    }
}
KEDA = {"scaling": {"mode": "keda", "maxReplicas": 8}}
ALL = with_values(NEEDED, MONITORED, ROUTED, at("pools.t4", KEDA), at("monitoring.dashboards.enabled", True))


def two(*values: dict[str, Any], **options: Any) -> list[Manifest]:
    return render(with_values(NEEDED, *values), files=["pools"], **options)


def of(manifests: list[Manifest], pool: str) -> list[Manifest]:
    return [item for item in manifests if item["metadata"]["labels"].get("inference-system/pool") == pool]


def refused(values: dict[str, Any]) -> str:
    with pytest.raises(HelmRefused) as said:
        two(values)
    return str(said.value)


@pytest.mark.parametrize("version", ["1.30", "1.34"])
@pytest.mark.parametrize("values", [NEEDED, ALL], ids=["as the file", "with everything"])
def test_two_pools_are_valid_and_restricted(values: dict[str, Any], version: str) -> None:
    manifests = two(values, kube_version=f"{version}.0")
    assert errors(manifests, version) == []
    assert restricted_violations(manifests) == []


def test_a_pool_renders_what_a_release_of_its_values_would() -> None:
    """But for the pool in names and labels, and what the release has once."""
    manifests = render(with_values(EVERYTHING, {"pools": {"a": {"modelRepository": {"models": ["original"]}}}}))
    released = [*(item for item in manifests if item["kind"] in ("Gateway", "ServiceAccount")), *boards(manifests)]
    pooled = [item for item in manifests if item not in released]
    label = re.compile(r"'inference-system/pool': 'a', |, 'inference-system/pool': 'a'")
    plain = {label.sub("", repr(item)).replace("demo-triton-a", "demo-triton") for item in pooled}
    assert len(plain) == len(pooled) > 15
    assert plain | {repr(item) for item in released} == {repr(item) for item in render(EVERYTHING)}


def boards(manifests: list[Manifest]) -> list[Manifest]:
    return [item for item in manifests if "-dash-" in item["metadata"]["name"]]


def test_the_release_has_its_own_objects_once() -> None:
    extra = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": '{{ include "triton.fullname" . }}-extra'}}
    manifests = two(ALL, {"extraObjects": [extra]})
    assert one(manifests, "ServiceAccount")["metadata"]["name"] == "demo-triton"
    assert one(manifests, "Gateway")["metadata"]["name"] == "demo-triton"
    assert one(manifests, "Secret")["metadata"]["name"] == "demo-triton-extra"
    names = [item["metadata"]["name"] for item in boards(manifests)]
    assert names and all(name.startswith("demo-triton-dash-") for name in names)
    pods = [item["spec"]["template"]["spec"] for item in manifests if item["kind"] == "Deployment"]
    assert {pod["serviceAccountName"] for pod in pods} == {"demo-triton"}
    routes = [item["spec"]["parentRefs"] for item in manifests if item["kind"] == "HTTPRoute"]
    assert routes == [[{"name": "demo-triton"}]] * 2


def test_no_gateway_is_made_where_no_pool_has_routes() -> None:
    assert "Gateway" not in kinds(two(ALL, *(at(f"pools.{pool}.gateway.enabled", False) for pool in ("t4", "cpu"))))
    # Only one pool with routes: the release's own switch does not count.
    one_routed = two(ALL, at("gateway.enabled", False), at("pools.t4.gateway.enabled", True))
    assert [item["metadata"]["name"] for item in one_routed if item["kind"] == "HTTPRoute"] == ["demo-triton-t4-http"]
    assert one(one_routed, "Gateway")


def selectors(node: Any) -> list[dict[str, str]]:
    """Every selector of Pods in a manifest: those that name the release."""
    if isinstance(node, list):
        return [found for item in node for found in selectors(item)]
    if not isinstance(node, dict):
        return []
    found = [node[key] for key in ("matchLabels", "selector") if "app.kubernetes.io/name" in (node.get(key) or {})]
    return found + [deeper for item in node.values() for deeper in selectors(item)]


def test_selectors_are_those_of_the_pool_and_disjoint() -> None:
    manifests = two(ALL)
    for pool in ("t4", "cpu"):
        own = [item for item in of(manifests, pool) if "spec" in item]
        found = [(item["kind"], selector) for item in own for selector in selectors(item["spec"])]
        selecting = {kind for kind, _ in found}
        assert {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"} <= selecting
        assert {selector["inference-system/pool"] for _, selector in found} == {pool}
        labels = one(own, "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert all(selector.items() <= labels.items() for _, selector in found)


def test_each_pool_has_its_own_models_nodes_and_scaling() -> None:
    manifests = two(ALL)
    t4, cpu = (one(of(manifests, pool), "Deployment")["spec"]["template"]["spec"] for pool in ("t4", "cpu"))
    assert "--load-model=tftrt_int8" in t4["containers"][0]["args"]
    assert "--load-model=onnx_int8" in cpu["containers"][0]["args"]
    assert t4["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"} and "nodeSelector" not in cpu
    assert "nvidia.com/gpu" in t4["containers"][0]["resources"]["limits"]
    assert "nvidia.com/gpu" not in cpu["containers"][0]["resources"]["limits"]
    scaled = one(manifests, "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["name"] == "demo-triton-t4" and scaled["spec"]["maxReplicaCount"] == 8


def test_a_value_of_the_release_holds_for_pools_that_give_none() -> None:
    manifests = two(at("probes.startupTimeoutSeconds", 900), at("pools.cpu.probes.startupTimeoutSeconds", 90))
    probes = {
        pool: one(of(manifests, pool), "Deployment")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
        for pool in ("t4", "cpu")
    }
    assert {pool: probe["failureThreshold"] for pool, probe in probes.items()} == {"t4": 180, "cpu": 18}


def test_what_a_pool_gives_wins_over_the_release_where_it_is_empty_too() -> None:
    release = {"gpu": {"count": 1}, "service": {"headless": True}, "publicApi": {"modelVersions": [1, 2]}}
    pool = {"modelRepository": {"models": ["onnx_int8"]}, "gpu": {"count": 0}, "service": {"headless": False}}
    manifests = render(with_values(URL, release, {"pools": {"a": pool}}))
    assert [item["metadata"]["name"] for item in manifests if item["kind"] == "Service"] == ["demo-triton-a"]
    limits = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert "nvidia.com/gpu" not in limits


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_queries_and_alerts_select_their_own_pool(kind: str) -> None:
    manifests = two(ALL, at("monitoring.podMonitor.kind", kind))
    assert errors(manifests) == []
    for pool, other in (("t4", "cpu"), ("cpu", "t4")):
        expressions = [
            rule["expr"]
            for group in one(of(manifests, pool), "PrometheusRule")["spec"]["groups"]
            for rule in group["rules"]
        ]
        series = [text for text in expressions if "job=" in text]
        assert len(series) >= 5
        assert all(f'job="inference/demo-triton-{pool}"' in text for text in series)
        assert not any(f"demo-triton-{other}" in text for text in expressions)
        monitor = one(of(manifests, pool), kind)
        assert monitor["metadata"]["name"] == f"demo-triton-{pool}"
        if kind == "ServiceMonitor":
            (endpoint,) = monitor["spec"]["endpoints"]
            assert endpoint["relabelings"][0]["replacement"] == f"inference/demo-triton-{pool}"
    for trigger in one(manifests, "ScaledObject")["spec"]["triggers"]:
        assert 'job="inference/demo-triton-t4"' in trigger["metadata"]["query"]


def test_alerts_on_pods_of_one_pool_pass_over_those_of_another_with_a_longer_name() -> None:
    pools = {name: {"modelRepository": {"models": [name]}} for name in ("a", "a-b1")}
    manifests = render(with_values(URL, MONITORED, {"pools": pools}))
    rules = one(of(manifests, "a"), "PrometheusRule")["spec"]["groups"][0]["rules"]
    pattern = re.search(
        r'pod=~"([^"]*)"', next(rule["expr"] for rule in rules if rule["alert"] == "TritonDrainTooLong")
    )
    assert pattern is not None
    assert re.fullmatch(pattern[1], "demo-triton-a-6f8d9c7b4-x2x4z")
    assert not re.fullmatch(pattern[1], "demo-triton-a-b1-6f8d9c7b4-x2x4z")


def backends(manifests: list[Manifest], host: str) -> dict[str, str]:
    """The Service behind each path of a host, over all routes; a path that two of them have is an error."""
    found: dict[str, str] = {}
    for route in (item["spec"] for item in manifests if item["kind"] == "HTTPRoute"):
        for rule in route["rules"] if host in route["hostnames"] else []:
            for match in rule["matches"]:
                assert (
                    found.setdefault(match["path"]["value"], rule["backendRefs"][0]["name"])
                    == (rule["backendRefs"][0]["name"])
                ), match
    return found


def test_routes_reach_the_pool_of_the_model() -> None:
    paths = backends(two(ALL), "http.example.com")
    assert paths["/v2/models/onnx_int8/infer"] == "demo-triton-cpu"
    assert paths["/v2/models/tftrt_int8/versions/1/infer"] == "demo-triton-t4"
    # What names no model can have one answer only.
    assert paths["/v2/health/ready"] == paths["/v2/repository/index"] == "demo-triton-cpu"


def test_pools_with_host_names_of_their_own_answer_for_themselves() -> None:
    hosts = [at(f"pools.{pool}.gateway.http.hostnames", [f"{pool}.example.com"]) for pool in ("t4", "cpu")]
    manifests = two(ALL, *hosts)
    for pool in ("t4", "cpu"):
        assert backends(manifests, f"{pool}.example.com")["/v2/health/ready"] == f"demo-triton-{pool}"


def listener(section: str, **more: Any) -> dict[str, Any]:
    return {"gateway": {"parentRefs": [{"name": "shared", "sectionName": section, **more}]}}


# Both serve the same model over both protocols: what only listeners of their own can tell apart.
ALIKE = with_values(
    ROUTED,
    {"gateway": {"create": {"enabled": False}, "grpc": {"enabled": True, "hostnames": ["grpc.example.com"]}}},
    {"pools": {"t4": {"presets": ["gke-t4", "onnx_int8"]}, "cpu": listener("inside")}},
)


def test_pools_on_different_listeners_of_one_gateway_are_apart() -> None:
    manifests = two(ALIKE, at("pools.t4", listener("outside")))
    assert errors(manifests) == []
    for pool in ("t4", "cpu"):
        (route,) = [item for item in of(manifests, pool) if item["kind"] == "HTTPRoute"]
        assert "/v2/health/ready" in repr(route["spec"]["rules"])


@pytest.mark.parametrize("parent", [{}, {"sectionName": "inside"}, {"port": 443}])
def test_a_listener_that_may_be_that_of_another_pool_is_refused(parent: dict[str, Any]) -> None:
    said = refused(with_values(ALIKE, at("pools.t4.gateway.parentRefs", [{"name": "shared", **parent}])))
    assert "is behind the Gateway inference/shared with host grpc.example.com" in said, said


def test_each_entrance_has_one_pool_that_answers_for_the_server() -> None:
    """Pool b shares an entrance with a, c with b alone: so a and c answer."""
    hosts = {"a": ["one.example.com"], "b": ["one.example.com", "two.example.com"], "c": ["two.example.com"]}
    pools = {
        name: {"modelRepository": {"models": [name]}, "gateway": {"http": {"hostnames": own}}}
        for name, own in hosts.items()
    }
    manifests = render(with_values(URL, ROUTED, {"pools": pools}))
    for host in ("one.example.com", "two.example.com"):
        assert backends(manifests, host)["/v2/health/ready"] == f"demo-triton-{'a' if 'one' in host else 'c'}"


def test_an_ingress_reaches_the_pool_of_the_model() -> None:
    ingress = with_values(ROUTED, at("gateway", {"enabled": False}), at("ingress.enabled", True))
    manifests = two(ingress, at("ingress.http.host", "http.example.com"))
    found = [
        (path["path"], path["backend"]["service"]["name"])
        for item in manifests
        if item["kind"] == "Ingress"
        for rule in item["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert len(found) == len(dict(found))
    assert dict(found)["/v2/models/tftrt_int8/infer"] == "demo-triton-t4"
    assert dict(found)["/v2/health/live"] == "demo-triton-cpu"


def test_a_network_policy_for_each_pool_opens_what_it_needs() -> None:
    manifests = two(at("pools.cpu.networkPolicy.modelSourceCidrs", ["192.0.2.0/24"]))
    cpu, t4 = (repr(one(of(manifests, pool), "NetworkPolicy")["spec"]["egress"]) for pool in ("cpu", "t4"))
    assert "192.0.2.0/24" in cpu and "0.0.0.0/0" not in cpu
    assert "192.0.2.0/24" not in t4 and "0.0.0.0/0" in t4


def test_helm_test_asks_each_pool_for_its_models() -> None:
    pods = {item["metadata"]["name"]: item for item in two() if item["kind"] == "Pod"}
    assert set(pods) == {"demo-triton-t4-test", "demo-triton-cpu-test"}
    command = pods["demo-triton-t4-test"]["spec"]["containers"][0]["command"]
    assert command[2:] == ["demo-triton-t4:8000", "demo-triton-t4:8001", "tftrt_int8"]


def test_a_long_release_name_keeps_pools_apart() -> None:
    manifests = two(ALL, release="r" * 53)
    assert errors(manifests) == []
    assert len({item["metadata"]["name"] for item in manifests if item["kind"] == "Deployment"}) == 2


NODE_PORT = {"service": {"type": "NodePort", "nodePorts": {"http": 30080}}, "networkPolicy": {"enabled": False}}
GRPC = {"gateway": {"grpc": {"enabled": True, "hostnames": ["grpc.example.com"]}}}
SPLIT = at("pools.t4", {"gateway": {"grpc": {"hostnames": ["t4.example.com"]}}})
PLAIN = {"modelRepository": {"models": ["original"]}}


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("pools.t4.modelRepository.source is url, so", at("pools.t4.modelRepository.url", "")),
        ("'/pools/t4/gpu/count': got string, want integer", at("pools.t4.gpu.count", "one")),
        ("pools.t4.modelRepository.models holds tftrt_int8 of the engine tftrt", at("pools.t4.gpu.count", 0)),
        ("pools.cpu: the name 1st-cpu does not begin with a letter", at("fullnameOverride", "1st")),
        ("pools.x.modelRepository.models must be given", at("pools.x.gpu.count", 1)),
        ("'/pools/x': minProperties", at("pools.x", {})),
        ("'/pools/x': got null", at("pools.x", None)),
        ("additional properties 'gpuCount' not allowed", at("pools.t4.gpuCount", 1)),
        ("additional properties 'create' not allowed", at("pools.t4.gateway.create.enabled", True)),
        ("additional properties 'serviceAccount' not allowed", at("pools.t4.serviceAccount.name", "other")),
        ("'Large_GPU' does not match pattern", at("pools.Large_GPU", PLAIN)),
        ("maxLength: got 31, want 30", at("pools." + "a" * 31, PLAIN)),
        ("pools.t4.presets holds gke-t5: there are ", at("pools.t4.presets", ["gke-t5"])),
        ("pools.t4.presets holds one with pools", at("pools.t4.presets", ["pools"])),
        (
            "pools holds t4-headless, which a Service of the pool t4 is called",
            at("pools.t4-headless", with_values(URL, PLAIN)),
        ),
        ("pools.t4.service.nodePorts.http is 30080, as that of the pool cpu", NODE_PORT),
        (
            "pools.t4.modelRepository.models or alias holds onnx_int8, as the pool cpu does, and both are behind the "
            "Gateway inference/demo-triton with host http.example.com",
            with_values(ROUTED, at("pools.t4", {"presets": ["gke-t4", "onnx_int8"]})),
        ),
        (
            "pools.t4.gateway.grpc.hostnames: the pool cpu is behind the Gateway inference/demo-triton with host "
            "grpc.example.com, too, and a gRPC method names no model",
            with_values(ROUTED, GRPC),
        ),
        (
            "pools.t4.gateway.grpc.hostnames: HTTP of the pool cpu is behind",
            with_values(
                ROUTED,
                at("pools.cpu.gateway.http.hostnames", ["t4.example.com"]),
                at("pools.t4.gateway.grpc", {"enabled": True, "hostnames": ["t4.example.com"]}),
            ),
        ),
        (
            "pools.t4.tfservingFront.enabled is true, as that of the pool cpu",
            with_values(ROUTED, at("tfservingFront.enabled", True)),
        ),
    ],
)
def test_pools_refuse(message: str, values: dict[str, Any]) -> None:
    said = refused(values)
    assert message in said, said


@pytest.mark.parametrize(
    "values",
    [
        with_values(NODE_PORT, at("pools.cpu.service.nodePorts.http", 30081)),
        with_values(ROUTED, GRPC, SPLIT),
        with_values(ROUTED, at("pools.t4.tfservingFront.enabled", True)),
        with_values(
            ROUTED,
            at(
                "pools.t4", {"presets": ["gke-t4", "onnx_int8"], "gateway": {"http": {"hostnames": ["t4.example.com"]}}}
            ),
        ),
        at("pools.t4", {"presets": ["gke-t4", "onnx_int8"]}),
    ],
    ids=["node ports", "hosts for gRPC", "one front", "hosts for a model", "no gateway"],
)
def test_pools_let_pass(values: dict[str, Any]) -> None:
    assert errors(two(values)) == []
