"""Argo Rollouts for one namespace: its definitions, its controller with the Gateway API's plugin, its Rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

import tools
from cluster import CommandFailed, Object, apply, get, items, kinds_of, kubectl, wait_until

GROUP = "argoproj.io"
PLUGIN = "argoproj-labs/gatewayAPI"
_ALL = ["create", "get", "list", "watch", "update", "patch", "delete"]
_LABELS = {"app.kubernetes.io/name": "argo-rollouts"}
_NAME = {"name": "argo-rollouts"}


def definitions() -> AbstractContextManager[None]:
    """Argo Rollouts' kinds while the block runs; a cluster that has them keeps its own."""
    return kinds_of(f"rollouts.{GROUP}", tools.rollouts_definitions)


def start_controller(namespace: str, image: str) -> None:
    """The controller for this namespace alone, of an image that holds the plugin too; it goes with the namespace."""
    apply(namespace, *_rights(namespace), _configuration(), _deployment(image))
    kubectl("-n", namespace, "rollout", "status", "deployment/argo-rollouts", "--timeout=90s")


@dataclass
class Watched:
    """What a Rollout has gone through: the shares of the new revision in each route, in order, without repetitions."""

    shares: dict[str, list[int]] = field(default_factory=dict)

    def add(self, route: Object) -> None:
        """Keeps the share of the service whose name ends in -canary; AssertionError unless all rules have the same."""
        backends = [one for rule in route["spec"]["rules"] for one in rule["backendRefs"]]
        (share,) = {one["weight"] for one in backends if one["name"].endswith("-canary")}
        seen = self.shares.setdefault(route["kind"], [])
        if seen[-1:] != [share]:
            seen.append(share)


@contextmanager
def watched(namespace: str) -> Iterator[Watched]:
    """Looks at the namespace's routes every other second while the block runs: each step takes more."""
    found, ended = Watched(), Event()
    kinds = ",".join(f"{kind}.gateway.networking.k8s.io" for kind in ("httproutes", "grpcroutes"))

    def look() -> None:
        while not ended.wait(2):
            with suppress(CommandFailed):
                for route in items(namespace, kinds):
                    found.add(route)

    thread = Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def wait_until_stable(namespace: str, name: str, deadline_s: float = 180) -> str:
    """The hash of the revision that serves, when a Rollout has come to rest after its first installation."""
    return wait_for_outcome(namespace, name, "", deadline_s)[1]


def wait_for_outcome(namespace: str, name: str, before: str, deadline_s: float) -> tuple[str, str]:
    """How the change after the revision `before` ended, `Healthy` or `Degraded`, and the revision that serves then."""

    def ended() -> tuple[str, str] | None:
        rollout = get(namespace, f"rollouts.{GROUP}", name)
        status = rollout.get("status", {})
        # The controller's word is about the present object.
        phase, current = status.get("phase"), status.get("currentPodHash")
        noticed = status.get("observedGeneration") == str(rollout["metadata"]["generation"]) and current != before
        return (phase, status["stableRS"]) if noticed and phase in ("Healthy", "Degraded") else None

    return wait_until(f"the Rollout {name} is promoted or taken back", ended, deadline_s)


def failed_judgements(namespace: str) -> set[str]:
    """The measures that took the namespace's changes back, of all that were judged so far."""
    runs = items(namespace, f"analysisruns.{GROUP}")
    results = [one for run in runs for one in run.get("status", {}).get("metricResults", [])]
    return {one["name"] for one in results if one["phase"] in ("Failed", "Error")}


def _configuration() -> Object:
    plugins = f'- name: "{PLUGIN}"\n  location: "file:///usr/local/bin/rollouts-gateway-plugin"\n'
    metadata = {"name": "argo-rollouts-config"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"trafficRouterPlugins": plugins}}


def _rights(namespace: str) -> list[Object]:
    """What Argo Rollouts' own manifests for one namespace allow, as far as these tests use it, and the routes."""
    rules = [
        {"apiGroups": [GROUP], "resources": ["*"], "verbs": _ALL},
        {"apiGroups": ["apps"], "resources": ["replicasets", "deployments"], "verbs": _ALL},
        {"apiGroups": [""], "resources": ["services", "pods", "events"], "verbs": _ALL},
        {"apiGroups": [""], "resources": ["podtemplates", "secrets", "configmaps", "endpoints"], "verbs": _ALL[1:4]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": _ALL[1:4]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": _ALL},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": _ALL},
        {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["httproutes", "grpcroutes"],
            "verbs": ["get", "list", "update", "patch"],
        },
    ]
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _NAME},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": _NAME, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": _NAME,
            "roleRef": {"apiGroup": rbac, "kind": "Role", **_NAME},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, **_NAME}],
        },
    ]


def _deployment(image: str) -> Object:
    confined = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "controller",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--namespaced", "--leader-elect=false"],
        # The controller copies its plugins there.
        "workingDir": "/work",
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": confined,
        "volumeMounts": [{"name": "work", "mountPath": "/work"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": "argo-rollouts",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _NAME,
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }
