"""What an API server refuses of a manifest that fits the schema of its kind: names, addresses, ports, doubles.

Source: pkg/apis/*/validation of Kubernetes, each check by the field that it is about.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

Manifest = dict[str, Any]
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(rf"(\*\.)?{_SUBDOMAIN.pattern}")
_KEY = re.compile(rf"({_SUBDOMAIN.pattern}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_LARGEST_ID = 2**31 - 1


def problems(manifest: Manifest, pod: Manifest | None) -> list[str]:
    """The refusals, one line each; `pod` is the Pod's spec in the manifest, where it has one."""
    kind, spec = manifest["kind"], manifest.get("spec") or {}
    found = list(_metadata(kind, manifest["metadata"]))
    by_kind: dict[str, Callable[[Manifest], Iterable[str]]] = {
        "Service": _service,
        "NetworkPolicy": _network_policy,
        "Ingress": _ingress,
    }
    if kind in by_kind:
        found += by_kind[kind](spec)
    if pod is not None:
        found += _pod(pod)
    return found


def _metadata(kind: str, metadata: Manifest) -> Iterator[str]:
    name = str(metadata["name"])
    if not (_SERVICE if kind == "Service" else _SUBDOMAIN).fullmatch(name):
        yield f"metadata.name: {name!r} is no name of a {kind}"
    for part in ("labels", "annotations"):
        for key in metadata.get(part) or {}:
            if not _KEY.fullmatch(key):
                yield f"metadata.{part}: {key!r} is no key"


def _service(spec: Manifest) -> Iterator[str]:
    yield from _twice("ports", (port["name"] for port in spec["ports"]))
    yield from _twice("ports", ((port["port"], port.get("protocol")) for port in spec["ports"]))
    yield from _twice("ports.nodePort", (port["nodePort"] for port in spec["ports"] if "nodePort" in port))
    yield from _ranges("loadBalancerSourceRanges", spec.get("loadBalancerSourceRanges", []))


def _network_policy(spec: Manifest) -> Iterator[str]:
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for port in rule.get("ports", []):
            number = port.get("port", 1)
            if number not in range(1, 65536) and not (isinstance(number, str) and _SERVICE.fullmatch(number)):
                yield f"ports: {number!r} is no port"
        for peer in [*rule.get("from", []), *rule.get("to", [])]:
            block = peer.get("ipBlock", {})
            yield from _ranges("ipBlock", [*([block["cidr"]] if block else []), *block.get("except", [])])


def _ingress(spec: Manifest) -> Iterator[str]:
    for host in (rule["host"] for rule in spec["rules"]):
        if not _HOST.fullmatch(host) or _is_address(host):
            yield f"rules.host: {host!r} is no DNS name"


def _ranges(where: str, ranges: Iterable[str]) -> Iterator[str]:
    for one in ranges:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            yield f"{where}: {one!r} is no address range"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _pod(pod: Manifest) -> Iterator[str]:
    containers = [*pod.get("initContainers", []), *pod["containers"]]
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    yield from _twice("containers", (one["name"] for one in containers))
    yield from _twice("volumes", volumes)
    for container in containers:
        yield from (f"{container['name']}: {problem}" for problem in _container(container, volumes))
    yield from _tolerations(pod.get("tolerations", []))
    yield from _spread(pod.get("topologySpreadConstraints", []))
    for alias in pod.get("hostAliases", []):
        if not _is_address(alias["ip"]):
            yield f"hostAliases: {alias['ip']!r} is no address"
    for server in pod.get("dnsConfig", {}).get("nameservers", []):
        if not _is_address(server):
            yield f"dnsConfig.nameservers: {server!r} is no address"
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        if pod.get("securityContext", {}).get(field, 0) > _LARGEST_ID:
            yield f"securityContext.{field}: more than {_LARGEST_ID}"


def _container(container: Manifest, volumes: list[str]) -> Iterator[str]:
    env, mounts, ports = container.get("env", []), container.get("volumeMounts", []), container.get("ports", [])
    yield from _twice("env", (one["name"] for one in env))
    yield from _twice("volumeMounts", (one["mountPath"] for one in mounts))
    yield from _twice("ports", (one["name"] for one in ports if "name" in one))
    yield from (f"env: {one['name']} has two values" for one in env if one.get("value") and "valueFrom" in one)
    yield from (f"volumeMounts: no volume {one['name']}" for one in mounts if one["name"] not in volumes)


def _tolerations(tolerations: list[Manifest]) -> Iterator[str]:
    for one in tolerations:
        if one.get("operator") == "Exists" and one.get("value"):
            yield "tolerations: Exists takes no value"
        if not one.get("key") and one.get("operator") != "Exists":
            yield "tolerations: without a key the operator must be Exists"
        if "tolerationSeconds" in one and one.get("effect") != "NoExecute":
            yield "tolerations: tolerationSeconds needs the effect NoExecute"


def _spread(constraints: list[Manifest]) -> Iterator[str]:
    yield from _twice("topologySpreadConstraints", ((c["topologyKey"], c["whenUnsatisfiable"]) for c in constraints))
    for one in constraints:
        if "minDomains" in one and one["whenUnsatisfiable"] != "DoNotSchedule":
            yield "topologySpreadConstraints: minDomains needs DoNotSchedule"
        labels = set(one.get("labelSelector", {}).get("matchLabels", {}))
        yield from (f"topologySpreadConstraints: {key} twice" for key in labels & set(one.get("matchLabelKeys", [])))


def _twice(where: str, values: Iterable[Hashable]) -> Iterator[str]:
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            yield f"{where}: {value!r} is given twice"
        seen.add(value)
