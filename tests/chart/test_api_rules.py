"""The tests' own API server: each kind of refusal is found, and what is right passes."""

from typing import Any

import pytest
from api_rules import problems

PORT = {"name": "http", "port": 80, "protocol": "TCP"}
SPREAD = {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
MOUNT = {"name": "v", "mountPath": "/v"}


def service(*ports: dict[str, Any], name: str = "s", **spec: Any) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": list(ports), **spec}}


def policy(**rule: Any) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"egress": [rule]}}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", **(container or {})}]
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


def found(manifest: dict[str, Any]) -> list[str]:
    return problems(manifest, manifest["spec"] if manifest["kind"] == "Pod" else None)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (service(PORT, name="a.b"), "'a.b' is no name of a Service"),
        (service(PORT, {**PORT, "port": 81}), "ports: 'http' is given twice"),
        (service(PORT, {**PORT, "name": "b"}), "ports: (80, 'TCP') is given twice"),
        (service(PORT, loadBalancerSourceRanges=["10.0.0.0/33"]), "'10.0.0.0/33' is no address range"),
        (policy(ports=[{"port": 65536}]), "65536 is no port"),
        (policy(to=[{"ipBlock": {"cidr": "999.0.0.0/8"}}]), "'999.0.0.0/8' is no address range"),
        (
            {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [{"host": "10.0.0.1"}]}},
            "'10.0.0.1' is no DNS name",
        ),
        ({"kind": "ConfigMap", "metadata": {"name": "a..b"}}, "'a..b' is no name of a ConfigMap"),
        ({"kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"k" * 64: ""}}}, "is no key"),
        (pod({"env": [{"name": "A"}, {"name": "A"}]}), "env: 'A' is given twice"),
        (pod({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}), "env: A has two values"),
        (pod({"volumeMounts": [MOUNT]}), "volumeMounts: no volume v"),
        (pod({"volumeMounts": [MOUNT, MOUNT]}, volumes=[{"name": "v"}]), "volumeMounts: '/v' is given twice"),
        (pod(volumes=[{"name": "v"}, {"name": "v"}]), "volumes: 'v' is given twice"),
        (pod(initContainers=[{"name": "c"}]), "containers: 'c' is given twice"),
        (pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]), "Exists takes no value"),
        (pod(tolerations=[{"value": "b"}]), "without a key the operator must be Exists"),
        (pod(tolerations=[{"key": "a", "tolerationSeconds": 1}]), "tolerationSeconds needs the effect NoExecute"),
        (pod(topologySpreadConstraints=[SPREAD, SPREAD]), "('zone', 'ScheduleAnyway') is given twice"),
        (pod(topologySpreadConstraints=[{**SPREAD, "minDomains": 2}]), "minDomains needs DoNotSchedule"),
        (pod(hostAliases=[{"ip": "1.2.3"}]), "'1.2.3' is no address"),
        (pod(dnsConfig={"nameservers": ["dns"]}), "'dns' is no address"),
        (pod(securityContext={"runAsUser": 2**31}), "securityContext.runAsUser: more than"),
    ],
)
def test_a_refusal_is_found(manifest: dict[str, Any], says: str) -> None:
    assert any(says in one for one in found(manifest)), found(manifest)


@pytest.mark.parametrize(
    "manifest",
    [
        service(PORT, {**PORT, "name": "b", "protocol": "UDP"}),
        policy(ports=[{"port": 65535}, {"port": "named"}], to=[{"ipBlock": {"cidr": "fd00::/8"}}]),
        pod({"env": [{"name": "A"}], "volumeMounts": [MOUNT]}, volumes=[{"name": "v"}]),
        pod(tolerations=[{"operator": "Exists"}, {"key": "a", "effect": "NoExecute", "tolerationSeconds": 1}]),
        pod(topologySpreadConstraints=[SPREAD, {**SPREAD, "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}]),
        pod(hostAliases=[{"ip": "fd00::1"}], dnsConfig={"nameservers": ["10.0.0.10"]}),
    ],
)
def test_what_is_right_passes(manifest: dict[str, Any]) -> None:
    assert found(manifest) == []
