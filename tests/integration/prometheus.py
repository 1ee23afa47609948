"""A Prometheus of the test's own, made by the cluster's operator: it scrapes its namespace alone, and often."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cluster import Object, apply, is_ready, items, kubectl, wait_until

SCRAPE_S = 2
NAME = "own"
_READS = {"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}


@dataclass(frozen=True)
class Prometheus:
    """Prometheus in a namespace, with every PodMonitor and PrometheusRule of it."""

    namespace: str

    @property
    def address(self) -> str:
        """Its address inside the cluster."""
        return f"http://prometheus-operated.{self.namespace}.svc:9090"

    def start(self) -> None:
        """Asks the operator for it; the image is that of a Prometheus that the cluster has, else the operator's own.

        What is to be scraped should be there before: the kubelet shows Prometheus a changed configuration a minute or
        two later.
        """
        meta = {"name": "prometheus"}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": meta}
        subject = {"kind": "ServiceAccount", "name": "prometheus", "namespace": self.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "prometheus"}
        apply(
            self.namespace,
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            role | {"kind": "Role", "rules": [_READS]},
            role | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "Prometheus",
                "metadata": {"name": NAME},
                "spec": _image() | _spec(),
            },
        )

    def wait(self) -> None:
        """Waits until it answers."""

        def ready() -> bool:
            return any(map(is_ready, items(self.namespace, "pods", f"prometheus={NAME}")))

        wait_until("Prometheus is ready", ready, 90)

    def query(self, expression: str) -> list[Object]:
        """The series that an expression finds now. CommandFailed when Prometheus refuses it."""
        return list(self._ask("query", query=expression)["result"])

    def rules(self) -> dict[str, Object]:
        """The alert rules that it has loaded, by name."""
        return {rule["name"]: rule for group in self._ask("rules", type="alert")["groups"] for rule in group["rules"]}

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        service = f"/api/v1/namespaces/{self.namespace}/services/prometheus-operated:9090/proxy/api/v1/{what}"
        return dict(json.loads(kubectl("get", "--raw", f"{service}?{urlencode(parameters)}"))["data"])


def _spec() -> dict[str, Any]:
    return {
        "serviceAccountName": "prometheus",
        "scrapeInterval": f"{SCRAPE_S}s",
        "evaluationInterval": f"{SCRAPE_S}s",
        "podMonitorSelector": {},
        "ruleSelector": {},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "fsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    }


def _image() -> dict[str, Any]:
    there = json.loads(kubectl("get", "prometheuses", "--all-namespaces", "-o", "json"))["items"]
    specs = [one["spec"] for one in there if "image" in one["spec"]]
    return {key: specs[0][key] for key in ("image", "imagePullPolicy", "version") if key in specs[0]} if specs else {}
