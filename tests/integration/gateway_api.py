"""A real gateway for one namespace: the Gateway API's definitions, and Traefik as the controller and the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import tools
from choices import Values
from cluster import Object, apply, items, kinds_of, kubectl, name_of, wait_until

GROUP = "gateway.networking.k8s.io"
# The port that the chart's Gateway listens on; Traefik serves a Gateway on an entry point of the same port.
PORT = 80
PING_PORT = 8080
_READ = ["get", "list", "watch"]
_LABELS = {"app.kubernetes.io/name": "gateway"}


def definitions() -> AbstractContextManager[None]:
    """The Gateway API's kinds while the block runs; a cluster that has them keeps its own."""
    return kinds_of(f"grpcroutes.{GROUP}", tools.gateway_api_definitions)


@dataclass(frozen=True)
class Gateway:
    """A running gateway: its namespace, which is also the name of its class, and its host names in the cluster."""

    namespace: str
    http_host: str
    grpc_host: str
    ingress_host: str

    @property
    def values(self) -> Values:
        """A server's values by which it makes its own Gateway of this class, with its routes."""
        routes = {
            "enabled": True,
            "create": {"enabled": True, "className": self.namespace},
            "http": {"hostnames": [self.http_host]},
            "grpc": {"hostnames": [self.grpc_host]},
        }
        ingress = {"enabled": True, "http": {"host": self.ingress_host}}
        return {"gateway": routes, "ingress": ingress, "networkPolicy": {"clientNamespaces": [self.namespace]}}

    @property
    def addresses(self) -> dict[str, str]:
        """host:port of each protocol."""
        return {"http": f"{self.http_host}:{PORT}", "grpc": f"{self.grpc_host}:{PORT}"}


@contextmanager
def gateway(namespace: str, image: str) -> Iterator[Gateway]:
    """Traefik for the Gateways of this namespace while the block runs.

    A Service for each protocol, and for the Ingress, gives each a host name of its own, as routes need.
    """
    cluster_wide = _cluster_wide(namespace)
    apply(
        namespace,
        *cluster_wide,
        *_rights(namespace),
        _deployment(namespace, image),
        *map(_service, ("http", "grpc", "ingress")),
    )
    try:
        kubectl("-n", namespace, "rollout", "status", "deployment/gateway", "--timeout=60s")
        hosts = [f"gateway-{way}.{namespace}.svc.cluster.local" for way in ("http", "grpc", "ingress")]
        yield Gateway(namespace, *hosts)
    finally:
        for one in cluster_wide:
            kubectl("delete", one["kind"], name_of(one), "--wait=false")


def wait_until_routed(namespace: str, deadline_s: float = 60) -> None:
    """Waits until the Gateway is programmed and every route is accepted with its backends."""

    def routed() -> bool:
        gateways = [one["status"].get("conditions", []) for one in items(namespace, f"gateways.{GROUP}")]
        routes = [one for kind in ("httproutes", "grpcroutes") for one in items(namespace, f"{kind}.{GROUP}")]
        parents = [one.get("status", {}).get("parents", []) for one in routes]
        return all(_true(found, "Programmed") for found in gateways) and all(
            own and all(_true(one["conditions"], "Accepted", "ResolvedRefs") for one in own) for own in parents
        )

    wait_until("the gateway serves the routes", routed, deadline_s)


def _true(conditions: list[Object], *types: str) -> bool:
    status = {one["type"]: one["status"] for one in conditions}
    return all(status.get(kind) == "True" for kind in types)


def _cluster_wide(namespace: str) -> list[Object]:
    """What belongs to no namespace, named after this one: the class, and the right to see classes and namespaces."""
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": namespace}
    rules = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": _READ},
        {"apiGroups": [GROUP], "resources": ["gatewayclasses"], "verbs": _READ},
        {"apiGroups": [GROUP], "resources": ["gatewayclasses/status"], "verbs": ["update"]},
    ]
    return [
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "GatewayClass",
            "metadata": metadata,
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules},
        _binding("ClusterRole", namespace, namespace),
    ]


def _binding(kind: str, name: str, namespace: str) -> Object:
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "gateway", "namespace": namespace}],
    }


def _rights(namespace: str) -> list[Object]:
    """What the gateway may see of its own namespace, and its right to say what became of routes."""
    kinds = ["gateways", "httproutes", "grpcroutes", "tlsroutes", "referencegrants", "backendtlspolicies"]
    rules = [
        {"apiGroups": [""], "resources": ["services", "secrets", "configmaps"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {"apiGroups": [GROUP], "resources": kinds, "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
        {"apiGroups": [GROUP], "resources": [f"{kind}/status" for kind in kinds], "verbs": ["update"]},
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "gateway"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "gateway"}}
    return [account, role | {"rules": rules}, _binding("Role", "gateway", namespace)]


def _deployment(namespace: str, image: str) -> Object:
    arguments = [
        f"--entryPoints.web.address=:{PORT}",
        f"--entryPoints.traefik.address=:{PING_PORT}",
        "--ping=true",
        "--providers.kubernetesGateway=true",
        f"--providers.kubernetesGateway.namespaces={namespace}",
        "--providers.kubernetesIngress=true",
        f"--providers.kubernetesIngress.namespaces={namespace}",
        "--providers.kubernetesIngress.disableClusterScopeResources=true",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    container = {
        "name": "traefik",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "readinessProbe": {"httpGet": {"path": "/ping", "port": PING_PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    identity = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
        # port 80 without root
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    }
    pod = {"serviceAccountName": "gateway", "securityContext": identity, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "gateway"},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _service(protocol: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"gateway-{protocol}"},
        "spec": {"selector": _LABELS, "ports": [{"port": PORT, "targetPort": PORT}]},
    }
