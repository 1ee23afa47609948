"""The values of docs/how-to/scale-to-zero.md: they render, and what is named in them is there."""

import re
from typing import Any

import pytest
import yaml
from cases import URL, with_values
from render import ROOT, Manifest, one, render
from validation import errors

PAGE = ROOT / "docs" / "how-to" / "scale-to-zero.md"


@pytest.fixture(scope="module", params=["demo", "a-release-with-a-name-that-is-so-long-that-it-is-cut"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """A release with the page's values."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    values: dict[str, Any] = yaml.safe_load(block)
    return list(render(with_values(URL, values), release=request.param))


def test_they_are_valid(manifests: list[Manifest]) -> None:
    assert errors([item for item in manifests if item["kind"] != "InterceptorRoute"]) == []


def test_the_only_scaled_object_scales_the_deployment_from_zero(manifests: list[Manifest]) -> None:
    (scaled,) = [item["spec"] for item in manifests if item["kind"] == "ScaledObject"]
    assert scaled["minReplicaCount"] == 0
    assert scaled["scaleTargetRef"]["name"] == one(manifests, "Deployment")["metadata"]["name"]
    assert not [item for item in manifests if item["kind"] == "HorizontalPodAutoscaler"]


def test_the_interceptor_finds_the_service_and_each_trigger_its_route(manifests: list[Manifest]) -> None:
    routes = [item for item in manifests if item["kind"] == "InterceptorRoute"]
    spoken = []
    for route in routes:
        target = route["spec"]["target"]
        (service,) = [i for i in manifests if i["kind"] == "Service" and i["metadata"]["name"] == target["service"]]
        spoken += [port["appProtocol"] for port in service["spec"]["ports"] if port["port"] == target["port"]]
    # The interceptor speaks HTTP/2 to a port that says so, and HTTP/1.1 to others.
    assert spoken == ["http", "kubernetes.io/h2c"]
    triggers = one(manifests, "ScaledObject")["spec"]["triggers"]
    named = [trigger["metadata"]["interceptorRoute"] for trigger in triggers]
    assert named == [route["metadata"]["name"] for route in routes]


def test_the_interceptor_may_reach_the_pods(manifests: list[Manifest]) -> None:
    ingress = one(manifests, "NetworkPolicy")["spec"]["ingress"]
    names = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in ingress
        for peer in rule.get("from", ())
        if "namespaceSelector" in peer
    ]
    assert "keda" in names


def test_the_same_trigger_in_extra_triggers_does_not_go_to_zero() -> None:
    trigger = {"type": "external-push", "name": "held", "metadata": {"scalerAddress": "scaler.keda:9090"}}
    values = {
        "scaling": {"mode": "keda", "queueTime": {"enabled": False}, "keda": {"extraTriggers": [trigger]}},
        "monitoring": {"podMonitor": {"enabled": True}},
    }
    rendered = render(with_values(URL, values))
    scaled = one(rendered, "ScaledObject")["spec"]
    assert errors(rendered) == [] and scaled["minReplicaCount"] == 1 and scaled["triggers"] == [trigger]
