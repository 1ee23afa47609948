"""Values that the tests of the Triton chart start from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

# The neutral default needs no more than a model source.
URL = {"modelRepository": {"source": "url", "url": "gs://bucket/models"}}
# As short as a plan can be.
PLAN = "model: {name: tiny, source: keras:MobileNetV2}\nvariants: [{name: original, engine: tensorflow}]\n"
# Turns everything on, so that each template renders.
EVERYTHING: dict[str, Any] = {
    "modelRepository": {
        "source": "builder",
        "builder": {"plan": PLAN, "useGpu": True},
        "tuning": {"original": {"maxBatchSize": 16, "preferredBatchSizes": [8], "instances": 4}},
        "tiers": {"original": {"tier": 1}},
    },
    "scaling": {
        "mode": "keda",
        "gpuUtilization": {"enabled": True},
        "requestRate": {"enabled": True, "perPodCapacity": 9},
    },
    "gateway": {
        "enabled": True,
        "create": {"enabled": True, "className": "gateway-class", "tlsSecretName": "certificate"},
        "http": {"hostnames": ["http.example.com"]},
        "grpc": {"hostnames": ["grpc.example.com"]},
        "gke": {"healthCheckPolicy": True, "backendPolicy": True},
    },
    "ingress": {"enabled": True, "http": {"host": "http.example.com"}, "grpc": {"host": "grpc.example.com"}},
    "tfservingFront": {"enabled": True},
    "networkPolicy": {"clientNamespaces": ["gateway"], "clientCidrs": ["10.0.0.0/8"]},
    "monitoring": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True, "folder": "Triton"},
    },
}
# A server whose changes reach clients in steps, with everything that has a part in it.
DELIVERED: dict[str, Any] = {
    "modelRepository": {
        "source": "builder",
        "url": "",
        "builder": {"plan": PLAN},
        "alias": "tiny",
        "tuning": {"original": {"maxBatchSize": 16}},
    },
    "delivery": {"enabled": True, "measure": {"ratePerSecond": 20}},
    "service": {"headless": False},
    "tfservingFront": {"enabled": True},
    "gateway": {
        "enabled": True,
        "parentRefs": [{"name": "shared"}],
        "http": {"hostnames": ["http.example.com"]},
        "grpc": {"hostnames": ["grpc.example.com"]},
        "gke": {"healthCheckPolicy": True, "backendPolicy": True},
    },
    "networkPolicy": {"clientNamespaces": ["gateway"]},
    "monitoring": {"podMonitor": {"enabled": True}},
}


def with_values(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Values merged as Helm merges them: maps by key, everything else replaced."""
    merged: dict[str, Any] = {}
    for part in parts:
        _merge(merged, part)
    return merged


def at(path: str, value: Any) -> dict[str, Any]:
    """One value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def _merge(into: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(dict(value) if isinstance(value, Mapping) else value)
