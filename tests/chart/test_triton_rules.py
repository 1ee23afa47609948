"""Each rule between values: one case that it refuses, by a line that names the value, and one that it lets pass."""

import re
from typing import Any, NamedTuple

import pytest
from cases import EVERYTHING, URL, at, with_values
from render import ROOT, HelmRefused, render

OPEN = {"networkPolicy": {"clientNamespaces": ["gateway"]}}
HOSTS = {"http": {"hostnames": ["a.example.com"]}, "grpc": {"hostnames": ["b.example.com"]}}
GATEWAY = with_values(OPEN, {"gateway": {"enabled": True, "parentRefs": [{"name": "shared"}], **HOSTS}})
INGRESS = with_values(OPEN, {"ingress": {"enabled": True, "http": {"host": "a.example.com"}}})
KEDA = {"scaling": {"mode": "keda"}, "monitoring": {"podMonitor": {"enabled": True}}}
HPA_RATE = {"scaling": {"mode": "hpa", "requestRate": {"enabled": True}}}
HPA_GPU = {"scaling": {"mode": "hpa", "gpuUtilization": {"enabled": True}}}
PLAN = {"source": "builder", "builder": {"plan": "model: {}", "useGpu": True}}


class Rule(NamedTuple):
    """A rule's message up to where it varies, values that break it, and how to mend them."""

    message: str
    broken: dict[str, Any]
    mended: dict[str, Any]


def source(**values: Any) -> dict[str, Any]:
    return {"modelRepository": values}


IMAGE_VOLUME = source(source="image", image={"reference": "models:1"})
RULES = [
    Rule("the name 1st does not begin with a letter", at("fullnameOverride", "1st"), at("fullnameOverride", "first")),
    Rule("image.tag is latest", at("image.tag", "latest"), at("image.digest", "sha256:" + "0" * 64)),
    Rule("test.image.tag is latest", at("test.image.tag", "latest"), at("test.image.tag", "1")),
    Rule(
        "modelRepository.alias is original",
        at("modelRepository.alias", "original"),
        at("modelRepository.alias", "resnet50"),
    ),
    Rule("modelRepository.source is empty", source(source=""), source(source="url")),
    Rule("modelRepository.source is url", source(url=""), source(url="s3://b/m")),
    Rule(
        "modelRepository.source is persistentVolumeClaim",
        source(source="persistentVolumeClaim"),
        source(persistentVolumeClaim={"claimName": "models"}),
    ),
    Rule("modelRepository.source is image, so", source(source="image"), source(image={"reference": "models:1"})),
    *(
        Rule(
            f"modelRepository.image.reference {reference} has no version",
            source(source="image", image={"reference": reference}),
            source(image={"reference": "registry:5000/models:1"}),
        )
        for reference in ("models", "registry:5000/models", "models:latest")
    ),
    Rule("modelRepository.source is hostPath", source(source="hostPath"), source(hostPath={"path": "/srv"})),
    Rule("modelRepository.source is builder", source(source="builder"), source(builder={"plan": "model: {}"})),
    Rule(
        "modelRepository.builder.useGpu is true", {"modelRepository": PLAN, "gpu": {"count": 0}}, {"gpu": {"count": 1}}
    ),
    Rule(
        "modelRepository.tuning.fast: modelRepository.models does not hold this model, only original",
        source(tuning={"fast": {"instances": 2}}),
        source(models=["original", "fast"]),
    ),
    Rule(
        "modelRepository.tuning.original.preferredBatchSizes holds 8: at most maxBatchSize 4 is allowed",
        source(tuning={"original": {"maxBatchSize": 4, "preferredBatchSizes": [8]}}),
        source(tuning={"original": {"maxBatchSize": 8}}),
    ),
    Rule("modelRepository.path a/../b leaves the volume", source(path="a/../b"), source(path="a/..b")),
    Rule(
        "server.extraArgs holds --http-port=1",
        at("server.extraArgs", ["--http-port=1"]),
        at("server.extraArgs", ["--http-thread-count=1"]),
    ),
    Rule(
        "modelRepository.tiers.bulk: modelRepository.models does not hold this model, only original",
        source(tiers={"bulk": {"tier": 2}}),
        source(models=["original", "bulk"]),
    ),
    Rule(
        "server.rateLimit.resources holds cpu:2, which server.rateLimit.tierExecutions sets",
        with_values(source(tiers={"original": {"tier": 1}}), at("server.rateLimit.resources", ["cpu:2"])),
        at("server.rateLimit.resources", ["memory:2"]),
    ),
    Rule(
        "server.rateLimit.resources is given",
        at("server.rateLimit.resources", ["R:1"]),
        at("server.rateLimit.mode", "execution_count"),
    ),
    Rule(
        "lifecycle.drainDeadlineSeconds is 46",
        at("lifecycle.drainDeadlineSeconds", 46),
        at("lifecycle.drainDeadlineSeconds", 47),
    ),
    Rule(
        "lifecycle.terminationGracePeriodSeconds is 129",
        at("lifecycle.terminationGracePeriodSeconds", 129),
        at("lifecycle.terminationGracePeriodSeconds", 130),
    ),
    Rule(
        "probes.livenessPeriodSeconds", at("probes.livenessFailureThreshold", 1), at("probes.livenessPeriodSeconds", 11)
    ),
    Rule(
        "placement.affinity.podAntiAffinity is given",
        at("placement.affinity", {"podAntiAffinity": {}}),
        at("placement.onePodPerNode", False),
    ),
    Rule("scaling.minReplicas is 5", at("scaling.minReplicas", 5), at("scaling.maxReplicas", 5)),
    Rule(
        "scaling.mode is hpa, so one of",
        at("scaling", {"mode": "hpa", "queueTime": {"enabled": False}}),
        at("scaling.queueTime.enabled", True),
    ),
    Rule("scaling.requestRate is enabled", HPA_RATE, at("scaling.requestRate.perPodCapacity", 0.5)),
    Rule("scaling.gpuUtilization is enabled", with_values(HPA_GPU, at("gpu.count", 0)), at("gpu.count", 1)),
    Rule(
        "scaling.mode is keda",
        with_values(KEDA, at("monitoring.podMonitor.enabled", False)),
        at("monitoring.podMonitor.enabled", True),
    ),
    Rule(
        "monitoring.prometheusRule.enabled is true, so monitoring.podMonitor.enabled",
        {"monitoring": {"prometheusRule": {"enabled": True}}},
        at("monitoring.podMonitor.enabled", True),
    ),
    Rule(
        "gateway.enabled is true, so gateway.parentRefs",
        with_values(GATEWAY, at("gateway.parentRefs", [])),
        at("gateway.create", {"enabled": True, "className": "any"}),
    ),
    Rule(
        "gateway.create.enabled is true",
        with_values(GATEWAY, at("gateway.create.enabled", True)),
        at("gateway.create.className", "any"),
    ),
    Rule(
        "gateway.enabled is true, so gateway.http.enabled",
        with_values(GATEWAY, at("gateway", {"http": {"enabled": False}, "grpc": {"enabled": False}})),
        at("gateway.http.enabled", True),
    ),
    Rule(
        "gateway.http.hostnames and gateway.grpc.hostnames",
        with_values(GATEWAY, at("gateway.http.hostnames", [])),
        at("gateway.grpc.routeKind", "HTTPRoute"),
    ),
    Rule(
        "gateway.grpc.hostnames holds a.example.com",
        with_values(GATEWAY, at("gateway.grpc.hostnames", ["a.example.com"])),
        at("gateway.grpc.routeKind", "HTTPRoute"),
    ),
    Rule(
        "gateway.gke.securityPolicy is given",
        at("gateway.gke.securityPolicy", "clients"),
        at("gateway.gke.backendPolicy", True),
    ),
    Rule(
        "ingress.enabled is true, so ingress.http.host",
        with_values(INGRESS, at("ingress.http.host", "")),
        at("ingress.grpc.host", "b.example.com"),
    ),
    Rule(
        "ingress.grpc.host is a.example.com",
        with_values(INGRESS, at("ingress.grpc.host", "a.example.com")),
        at("ingress.grpc.host", "b.example.com"),
    ),
    Rule("service.type is NodePort", at("service.type", "NodePort"), at("networkPolicy.clientCidrs", ["10.0.0.0/8"])),
    *(
        Rule(
            f"{way} is true, so networkPolicy.clientNamespaces",
            with_values(values, at("networkPolicy.clientNamespaces", [])),
            at("networkPolicy.clientCidrs", ["10.0.0.0/8"]),
        )
        for way, values in (("gateway.enabled", GATEWAY), ("ingress.enabled", INGRESS))
    ),
    Rule(
        "monitoring.podMonitor.enabled is true",
        {"monitoring": {"podMonitor": {"enabled": True}}, "networkPolicy": {"monitoringNamespaces": []}},
        at("networkPolicy.enabled", False),
    ),
    Rule(
        "service.loadBalancerSourceRanges is given",
        with_values(at("service.loadBalancerSourceRanges", ["10.0.0.0/8"]), at("networkPolicy.enabled", False)),
        at("service.type", "LoadBalancer"),
    ),
    Rule("service.grpcPort is 8000", at("service.grpcPort", 8000), at("service.grpcPort", 8002)),
    Rule(
        "tfservingFront.image.tag is latest",
        at("tfservingFront.image.tag", "latest"),
        at("tfservingFront.image.tag", "1"),
    ),
    *(
        Rule(
            f"tfservingFront.port is {port}",
            at("tfservingFront", {"enabled": True, "port": port}),
            at("tfservingFront.port", 8888),
        )
        for port in (8000, 8001)
    ),
    Rule(
        "tfservingFront.timeoutSeconds is 91",
        at("tfservingFront", {"enabled": True, "timeoutSeconds": 91}),
        at("lifecycle.drainDeadlineSeconds", 91),
    ),
    Rule(
        "serviceAccount.annotations is given",
        at("serviceAccount", {"create": False, "annotations": {"a": "b"}}),
        at("serviceAccount.create", True),
    ),
]


def refusal(values: dict[str, Any], kube_version: str = "1.34.0") -> str:
    """What Helm says; the first line only, after which it may hint at its --debug flag."""
    with pytest.raises(HelmRefused) as refused:
        render(with_values(URL, values), kube_version=kube_version)
    return str(refused.value).splitlines()[0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.message)
def test_rule_refuses(rule: Rule) -> None:
    assert rule.message in refusal(rule.broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.message)
def test_rule_lets_pass(rule: Rule) -> None:
    assert render(with_values(URL, rule.broken, rule.mended))


def test_image_volumes_need_kubernetes_1_31() -> None:
    assert "needs Kubernetes 1.31 or later" in refusal(IMAGE_VOLUME, "1.30.0")
    assert render(IMAGE_VOLUME, kube_version="1.31.0")


def test_kubernetes_before_1_30_is_refused() -> None:
    with pytest.raises(HelmRefused, match="kubeVersion"):
        render(URL, kube_version="1.29.0")


def test_every_rule_has_its_case() -> None:
    """Each `fail` of the template is met by a case above, compared by its text."""
    text = (ROOT / "charts/triton/templates/validations.yaml").read_text(encoding="utf-8")
    messages = [refusal(rule.broken) for rule in RULES] + [refusal(IMAGE_VOLUME, "1.30.0")]
    for form in re.findall(r'\{\{ fail (?:\(printf )?"([^"]*)"', text):
        pattern = re.sub(r"%[sd]", ".+", re.escape(form).replace(r"\%", "%"))
        assert any(re.search(pattern, message) for message in messages), form


def test_rules_render_nothing() -> None:
    assert all(manifest["kind"] for manifest in render(EVERYTHING))
