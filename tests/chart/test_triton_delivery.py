"""Progressive delivery: a Rollout in place of the Deployment, whose revisions keep what is theirs."""

import json
from typing import Any

import pytest
from cases import DELIVERED, PLAN, at, with_values
from promql import metrics_of
from render import Manifest, kinds, one, render
from validation import errors

from triton_contract.metrics import TRITON_METRICS

PLUGIN = "argoproj-labs/gatewayAPI"


def delivered(*values: dict[str, Any]) -> list[Manifest]:
    return render(with_values(DELIVERED, *values))


def canary(manifests: list[Manifest]) -> dict[str, Any]:
    return dict(one(manifests, "Rollout")["spec"]["strategy"]["canary"])


def judged(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    return {metric["name"]: metric for metric in one(manifests, "AnalysisTemplate", "-objective")["spec"]["metrics"]}


def test_the_pods_are_those_of_the_deployment_but_for_what_differs_between_revisions() -> None:
    rollout = one(delivered(), "Rollout")["spec"]
    deployment = one(render(with_values(DELIVERED, NOT_DELIVERED)), "Deployment")["spec"]
    assert rollout["selector"] == deployment["selector"]
    ours, theirs = rollout["template"]["spec"], deployment["template"]["spec"]
    assert ours["containers"] == theirs["containers"]
    assert ours["initContainers"] == theirs["initContainers"]
    assert [volume["name"] for volume in ours["volumes"]] == [volume["name"] for volume in theirs["volumes"]]


NOT_DELIVERED = {"delivery": {"enabled": False, "measure": {"ratePerSecond": 0}}}


def test_a_revision_carries_its_own_plan_and_tuned_values() -> None:
    """A Pod of the old revision that starts anew must not find the new one's in a ConfigMap."""
    manifests = delivered()
    template = one(manifests, "Rollout")["spec"]["template"]
    annotations, volumes = template["metadata"]["annotations"], {v["name"]: v for v in template["spec"]["volumes"]}
    assert annotations["inference-system/plan"] == PLAN
    assert json.loads(annotations["inference-system/tuning"])["original"] == {"maxBatchSize": 16}
    (plan,) = volumes["plan"]["downwardAPI"]["items"]
    assert plan == {"path": "plan.yaml", "fieldRef": {"fieldPath": "metadata.annotations['inference-system/plan']"}}
    scripts, tuning = volumes["scripts"]["projected"]["sources"]
    assert tuning["downwardAPI"]["items"][0]["path"] == "tuning.json"
    held = one(manifests, "ConfigMap", scripts["configMap"]["name"])["data"]
    assert "tuning.json" not in held
    assert "apply_tuning.py" in held
    assert not any(m["kind"] == "ConfigMap" and m["metadata"]["name"].endswith("-plan") for m in manifests)


@pytest.mark.parametrize("kind", ["GRPCRoute", "HTTPRoute"])
def test_every_rule_of_every_route_has_both_revisions_and_the_controller_knows_each_route(kind: str) -> None:
    versions = list(range(1, 30))  # so many that there are two HTTPRoutes
    manifests = delivered(at("gateway.grpc.routeKind", kind), at("publicApi.modelVersions", versions))
    routes = [manifest for manifest in manifests if manifest["kind"].endswith("Route")]
    for rule in (rule for route in routes for rule in route["spec"]["rules"]):
        stable, new = rule["backendRefs"]
        assert (stable["name"], stable["weight"]) == ("demo-triton", 100)
        assert (new["name"], new["weight"]) == ("demo-triton-canary", 0)
        assert stable["port"] == new["port"]
    known = canary(manifests)["trafficRouting"]["plugins"][PLUGIN]
    named = {("HTTPRoute", route["name"]) for route in known["httpRoutes"]}
    named |= {("GRPCRoute", route["name"]) for route in known.get("grpcRoutes", [])}
    assert named == {(route["kind"], route["metadata"]["name"]) for route in routes}
    assert len(routes) == 3
    assert known["namespace"] == "inference"


def test_routes_let_through_the_name_that_both_revisions_have() -> None:
    paths = [
        match["path"]["value"] for rule in one(delivered(), "HTTPRoute")["spec"]["rules"] for match in rule["matches"]
    ]
    assert {path.split("/")[3] for path in paths if path.startswith("/v2/models/")} == {"tiny"}


TLS = {
    "server": {"tls": {"secretName": "certificate"}},
    "gateway": {"grpc": {"enabled": False}},
    "tfservingFront": {"enabled": False},
    "delivery": {"measure": {"ratePerSecond": 0}},
}


@pytest.mark.parametrize("values", [{}, TLS], ids=["plain", "TLS"])
def test_the_new_revision_has_a_service_with_the_same_ports_and_the_health_check_of_the_old_one(
    values: dict[str, Any],
) -> None:
    manifests = delivered(values)
    stable, new = (one(manifests, "Service", name) for name in ("demo-triton", "-canary"))
    assert stable["spec"]["ports"] == new["spec"]["ports"]
    strategy = canary(manifests)
    assert strategy["stableService"] == stable["metadata"]["name"]
    assert strategy["canaryService"] == new["metadata"]["name"]
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        found = [manifest["spec"]["targetRef"]["name"] for manifest in manifests if manifest["kind"] == kind]
        assert found == ["demo-triton", "demo-triton-canary"]


def test_each_share_is_judged_before_the_next() -> None:
    steps = canary(delivered(at("delivery.weights", [10, 40]), at("delivery.measure.ratePerSecond", 0)))["steps"]
    assert [next(iter(step)) for step in steps] == ["setWeight", "analysis"] * 2
    assert [step["setWeight"] for step in steps[::2]] == [10, 40]
    for step in steps[1::2]:
        assert step["analysis"]["templates"] == [{"templateName": "demo-triton-objective"}]
        (argument,) = step["analysis"]["args"]
        assert argument == {"name": "revision", "valueFrom": {"podTemplateHashValue": "Latest"}}


def test_the_objective_is_that_of_the_alerts() -> None:
    objective = {"p95Ms": 250, "errorPercent": 0.5}
    metrics = judged(
        delivered(at("monitoring.prometheusRule.objective", objective), at("delivery.judgement.queueMs", 9))
    )
    kept = {name: metric["successCondition"].rpartition("result[0] ")[2] for name, metric in metrics.items()}
    assert kept == {"requests": ">= 20", "error-percent": "<= 0.5", "p95-proxy-ms": "<= 250", "queue-ms": "<= 9"}


def test_each_query_is_promql_of_known_metrics_about_one_revision() -> None:
    for metric in judged(delivered()).values():
        query = metric["provider"]["prometheus"]["query"]
        assert set() < metrics_of(query.replace("{{args.revision}}", "abc")) <= set(TRITON_METRICS)
        selectors = query.count("nv_inference_")
        assert query.count('rollouts_pod_template_hash="{{args.revision}}"') == selectors > 0
    (label,) = one(delivered(), "PodMonitor")["spec"]["podTargetLabels"]
    assert label.replace("-", "_") == "rollouts_pod_template_hash"


def test_a_measurement_asks_the_new_revision_before_the_first_client_does() -> None:
    measure = {"ratePerSecond": 12.5, "timeoutSeconds": 99, "extraArgs": ["--effort=quick"]}
    manifests = delivered(at("delivery.measure", measure))
    first, second, third, *others = canary(manifests)["steps"]
    assert first == {"setCanaryScale": {"replicas": 1}}
    assert second == {"analysis": {"templates": [{"templateName": "demo-triton-measure"}]}}
    assert third == {"setCanaryScale": {"matchTrafficWeight": True}}
    assert "setWeight" in others[0]
    job = one(manifests, "AnalysisTemplate", "-measure")["spec"]["metrics"][0]["provider"]["job"]["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 99)
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] == ["slo-tuner", "measure", "tiny"]
    wanted = ["--address=demo-triton-canary:8001", "--objective=p95<=100ms", "--rate=12.5", "--output=/tmp/results"]
    assert container["args"] == [*wanted, "--effort=quick"]


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_autoscalers_scale_the_rollout(mode: str) -> None:
    manifests = delivered(at("scaling.mode", mode))
    assert errors(manifests) == []
    scaler = one(manifests, {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[mode])
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "demo-triton"}
    assert scaler["spec"]["scaleTargetRef"] == target
    assert "replicas" not in one(manifests, "Rollout")["spec"]


def test_without_it_nothing_of_it_is_there() -> None:
    manifests = render(with_values(DELIVERED, NOT_DELIVERED))
    assert not {"Rollout", "AnalysisTemplate"} & set(kinds(manifests))
    assert "weight" not in json.dumps([manifest for manifest in manifests if manifest["kind"].endswith("Route")])
    assert "podTargetLabels" not in one(manifests, "PodMonitor")["spec"]
