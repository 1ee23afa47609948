"""Each rule between values: one case that it refuses, by a line that names the value, and one that it lets pass."""

import json
import re
from typing import Any, NamedTuple

import pytest
from cases import DELIVERED, EVERYTHING, PLAN, URL, at, with_values
from render import ROOT, HelmRefused, one, render

OPEN = {"networkPolicy": {"clientNamespaces": ["gateway"]}}
ANYONE = {"networkPolicy": {"clientCidrs": ["0.0.0.0/0"]}}
HOSTS = {"http": {"hostnames": ["a.example.com"]}, "grpc": {"hostnames": ["b.example.com"]}}
GATEWAY = with_values(OPEN, {"gateway": {"enabled": True, "parentRefs": [{"name": "shared"}], **HOSTS}})
INGRESS = with_values(OPEN, {"ingress": {"enabled": True, "http": {"host": "a.example.com"}}})
KEDA = {"scaling": {"mode": "keda"}, "monitoring": {"podMonitor": {"enabled": True}}}
HPA_RATE = {"scaling": {"mode": "hpa", "requestRate": {"enabled": True}}}
HPA_GPU = {"scaling": {"mode": "hpa", "gpuUtilization": {"enabled": True}}}
BUILDER = {"source": "builder", "url": "", "builder": {"plan": PLAN, "useGpu": True}}
RATE = {"queueTime": {"enabled": False}, "requestRate": {"enabled": True, "perPodCapacity": 9}}
SIDE = {"name": "side", "image": "side:1"}
MOUNT = {"name": "extra", "mountPath": "/extra"}
EXTRA = {"extraVolumes": [{"name": "extra", "emptyDir": {}}]}
TRACING = {"otlpUrl": "http://collector.telemetry.svc:4318/v1/traces"}
COLLECTOR = {"networkPolicy": {"telemetryNamespaces": ["telemetry"]}}
GMP = {"networkPolicy": {"monitoringNamespaces": ["gmp-system"]}}
ZONES = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]


class Rule(NamedTuple):
    """A rule's message up to where it varies, values that break it, and how to mend them."""

    message: str
    broken: dict[str, Any]
    mended: dict[str, Any]


def source(**values: Any) -> dict[str, Any]:
    """A model repository; another source than `url` comes without one."""
    without = {"url": ""} if values.get("source", "url") not in ("", "url") else {}
    return {"modelRepository": {**without, **values}}


CACHE = {"server": {"responseCache": {"size": "64Mi"}}, **source(tuning={"original": {"responseCache": True}})}


def memory(limit: str) -> dict[str, Any]:
    """A memory limit, and a request below it."""
    return {"resources": {"requests": {"memory": "100Mi"}, "limits": {"memory": limit}}}


def built(plan: str, **values: Any) -> dict[str, Any]:
    """A repository that a plan builds."""
    return source(source="builder", builder={"plan": plan}, **values)


def service(**values: Any) -> dict[str, Any]:
    return {"service": {"type": "ClusterIP", **values}, "networkPolicy": {"enabled": False}}


TLS = {"server": {"tls": {"secretName": "pair"}}}
IMAGE_VOLUME = source(source="image", image={"reference": "models:1"})
RULES = [
    Rule("server.tls.clientCaSecret is given", at("server.tls.clientCaSecret", "ca"), TLS),
    Rule("so gateway.grpc.enabled must be false", with_values(GATEWAY, TLS), at("gateway.grpc.enabled", False)),
    Rule(
        "so ingress.grpc.host must be empty",
        with_values(INGRESS, TLS, at("ingress.grpc.host", "b.example.com")),
        at("ingress.grpc.host", ""),
    ),
    Rule(
        "so tfservingFront.enabled must be false",
        with_values(TLS, at("tfservingFront.enabled", True)),
        at("tfservingFront.enabled", False),
    ),
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
    Rule("modelRepository.source is builder", source(source="builder"), source(builder={"plan": PLAN})),
    Rule(
        "modelRepository.builder.useGpu is true",
        {"modelRepository": BUILDER, "gpu": {"count": 0}},
        {"gpu": {"count": 1}},
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
    Rule(
        "modelRepository.tuning.original.responseCache is true, so server.responseCache.size must be given, as 64Mi",
        source(tuning={"original": {"responseCache": True}}),
        at("server.responseCache.size", "64Mi"),
    ),
    Rule(
        "modelRepository.tuning.original.responseCache is true, so server.responseCache.size must be given",
        source(tuning={"original": {"responseCache": True}}),
        at("server.extraArgs", ["--cache-config=redis,host=redis"]),
    ),
    Rule(
        "server.responseCache.size is 64Mi, so a model must have modelRepository.tuning.MODEL.responseCache: true",
        with_values(CACHE, source(tuning={"original": {"responseCache": False, "instances": 2}})),
        source(tuning={"original": {"responseCache": True}}),
    ),
    Rule(
        "modelRepository.tuning.model.responseCache: model is the alias, whose requests are answered from the cache of "
        "its model: give it to original",
        with_values(CACHE, source(alias="model", tuning={"model": {"responseCache": True}})),
        source(models=["original", "model"], alias=""),
    ),
    *(
        Rule(
            f"server.responseCache.size is {size}: with server.sharedMemory 1Gi less than resources.limits.memory "
            f"{limit} is allowed, which both count against",
            with_values(CACHE, at("server.responseCache.size", size), memory(limit)),
            at("server.responseCache.size", "64Mi"),
        )
        for size, limit in (("12Gi", "12Gi"), ("11Gi", "12Gi"), ("1Gi", "2097152Ki"), ("900Mi", "1500M"))
    ),
    *(
        Rule(
            f"server.extraArgs holds {argument}, which another value sets",
            with_values(CACHE, at("server.extraArgs", [argument])),
            at("server.extraArgs", ["--cache-directory=/caches"]),
        )
        for argument in ("--cache-config=local,size=1", "--cache-conf=local,size=1", "--response-cache-byte-size=1")
    ),
    *(
        Rule(f"modelRepository.{at_} is given, so modelRepository.source must be {wanted}: it is url", values, mended)
        for at_, wanted, values, mended in (
            ("builder.plan", "builder", source(builder={"plan": PLAN}), source(source="builder")),
            ("image.reference", "image", source(image={"reference": "models:1"}), source(source="image")),
            ("hostPath.path", "hostPath", source(hostPath={"path": "/srv"}), source(source="hostPath")),
            (
                "persistentVolumeClaim.claimName",
                "persistentVolumeClaim",
                source(persistentVolumeClaim={"claimName": "models"}),
                source(source="persistentVolumeClaim"),
            ),
        )
    ),
    Rule(
        "modelRepository.url is given, so modelRepository.source must be url: it is builder",
        with_values(built(PLAN), source(url="gs://b/m")),
        source(source="builder"),
    ),
    Rule(
        "modelRepository.credentials.secretName is given, so modelRepository.source must be url: it is builder",
        built(PLAN, credentials={"secretName": "key"}),
        source(credentials={"secretName": ""}),
    ),
    Rule("modelRepository.url is as://account", source(url="as://account"), source(url="as://account/models")),
    Rule("modelRepository.models or alias holds stats", source(models=["stats"]), source(models=["statistics"])),
    Rule("modelRepository.builder.plan is no YAML map", built("- a list"), source(builder={"plan": PLAN})),
    Rule("modelRepository.builder.plan has no map model", built("variants: [{name: a}]"), built(PLAN)),
    Rule("modelRepository.builder.plan has no list variants", built("model: {name: a}"), built(PLAN)),
    Rule(
        "modelRepository.models holds fast, which modelRepository.builder.plan does not build, only original",
        built(PLAN, models=["fast"]),
        built(PLAN, models=["original"]),
    ),
    Rule(
        "modelRepository.alias is resnet50: it must be tiny, the model.name",
        built(PLAN, alias="resnet50"),
        source(alias="tiny"),
    ),
    Rule(
        "modelRepository.engines.fast: modelRepository.models does not hold this model, only original",
        source(engines={"fast": "tensorrt"}),
        source(models=["fast"]),
    ),
    *(
        Rule(
            f"modelRepository.models holds {model} of the engine {engine}: image.tag 26.03-py3 has no backend "
            "tensorflow, 25.02 is the last release with it",
            with_values(at("image.tag", "26.03-py3"), source(models=[model])),
            mended,
        )
        for model, engine, mended in (
            ("original", "tensorflow", at("image.tag", "25.02-py3")),
            ("tftrt_int8", "tftrt", source(models=["tensorrt_int8"])),
            ("original", "tensorflow", source(engines={"original": "onnxruntime"})),
        )
    ),
    Rule(
        "modelRepository.models holds mine of the engine tensorflow: image.tag 25.03-py3 has no backend tensorflow",
        with_values(at("image.tag", "25.03-py3"), source(models=["mine"], engines={"mine": "tensorflow"})),
        source(engines={"mine": "tensorrt"}),
    ),
    Rule(
        "modelRepository.models holds tensorrt_fp16 of the engine tensorrt: image.tag 25.02-tf2-python-py3 has no "
        "backend tensorrt: choose 25.02-py3",
        with_values(at("image.tag", "25.02-tf2-python-py3"), source(models=["tensorrt_fp16"])),
        source(models=["tftrt_fp16"]),
    ),
    Rule(
        "modelRepository.models holds tensorrt_fp16 of the engine tensorrt, so gpu.count must be 1 or more",
        with_values(at("gpu.count", 0), source(models=["tensorrt_fp16"])),
        at("gpu.count", 1),
    ),
    Rule(
        "modelRepository.models holds original of the engine tensorflow: image.tag 26.03-py3",
        with_values(at("image.tag", "26.03-py3"), built(PLAN)),
        built(f"runtime: python\n{PLAN}"),
    ),
    Rule(
        "modelRepository.path a/../b leaves the volume",
        source(source="image", image={"reference": "models:1"}, path="a/../b"),
        source(path="a/..b"),
    ),
    Rule(
        "server.extraArgs holds --http-port=1",
        at("server.extraArgs", ["--http-port=1"]),
        at("server.extraArgs", ["--http-thread-count=1"]),
    ),
    *(
        Rule(
            f"server.extraArgs holds {argument}",
            at("server.extraArgs", [argument]),
            at("server.extraArgs", ["--http-restricted-api=model-repository,trace:key=word"]),
        )
        for argument in (
            "--http-por=1",
            "--allow-metrics=false",
            "--allow-http=false",
            "--allow-grpc",
            "--allow-ht=false",
            "--http-address=127.0.0.1",
            "--grpc-use-ssl=true",
            "--exit-on-error=false",
            "--http-restricted-api=health:key=word",
            "--grpc-restricted-protocol=trace,health:key=word",
        )
    ),
    Rule(
        "server.extraEnv holds HOME, which the chart sets",
        at("server.extraEnv", [{"name": "HOME", "value": "/"}]),
        at("server.extraEnv", [{"name": "HOMEPAGE", "value": "/"}]),
    ),
    Rule(
        "server.extraEnv holds AWS_ACCESS_KEY_ID, which the chart sets",
        with_values(
            source(url="s3://b/m", credentials={"secretName": "key"}),
            at("server.extraEnv", [{"name": "AWS_ACCESS_KEY_ID", "value": "x"}]),
        ),
        source(credentials={"secretName": ""}),
    ),
    Rule(
        "modelRepository.builder.extraEnv holds HOME, which the chart sets",
        built(PLAN)
        | {
            "modelRepository": {
                **built(PLAN)["modelRepository"],
                "builder": {"plan": PLAN, "extraEnv": [{"name": "HOME"}]},
            }
        },
        at("modelRepository.builder.extraEnv", []),
    ),
    Rule(
        "server.extraEnv holds a name twice: A, A",
        at("server.extraEnv", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        at("server.extraEnv", [{"name": "A", "value": "1"}]),
    ),
    Rule(
        "server.sharedMemory is 12Gi: less than resources.limits.memory 12Gi",
        at("server.sharedMemory", "12Gi"),
        at("resources.limits.memory", "13Gi"),
    ),
    Rule(
        "server.sharedMemory is 1Gi: less than resources.limits.memory 500M",
        at("resources", {"requests": {"memory": "400Mi"}, "limits": {"memory": "500M"}}),
        at("server.sharedMemory", "400Mi"),
    ),
    *(
        Rule(
            f"{name}.{kind} holds example.com/gpu: GPUs are a matter of gpu.count",
            with_values(at(f"{name}.{kind}", {"example.com/gpu": 4}), at("gpu.resourceName", "example.com/gpu")),
            with_values(at("gpu.resourceName", "nvidia.com/gpu"), at(f"{name}.limits", {"example.com/gpu": 4})),
        )
        for name in ("resources", "modelRepository.builder.resources")
        for kind in ("limits", "requests")
    ),
    Rule(
        "resources.requests.cpu is 2: at most limits.cpu 1500m is allowed",
        at("resources.limits.cpu", "1500m"),
        at("resources.limits.cpu", 2),
    ),
    *(
        Rule(
            f"placement.nodeSelector holds {label}, a label of GPU nodes",
            with_values(at("placement.nodeSelector", {label: "x"}), at("gpu.count", 0)),
            at("gpu.count", 1),
        )
        for label in ("cloud.google.com/gke-accelerator", "nvidia.com/gpu.product", "k8s.amazonaws.com/accelerator")
    ),
    Rule(
        "placement.topologySpreadConstraints is given, which replaces placement.zoneSpread DoNotSchedule",
        {"placement": {"topologySpreadConstraints": ZONES, "zoneSpread": "DoNotSchedule"}},
        at("placement.zoneSpread", "ScheduleAnyway"),
    ),
    Rule(
        "podDisruptionBudget.maxUnavailable is 50%: a share of one Pod is the Pod",
        at("podDisruptionBudget.maxUnavailable", "50%"),
        at("scaling.replicas", 2),
    ),
    Rule(
        "podDisruptionBudget.maxUnavailable is 51%, which lets all of 2 Pods be away",
        with_values(at("podDisruptionBudget.maxUnavailable", "51%"), at("scaling.replicas", 2)),
        at("scaling.replicas", 3),
    ),
    Rule(
        "podDisruptionBudget.maxUnavailable is 2, which lets all of 2 Pods be away",
        with_values(KEDA, at("podDisruptionBudget.maxUnavailable", 2), at("scaling.minReplicas", 2)),
        at("scaling.minReplicas", 3),
    ),
    Rule(
        "rollout.maxSurge is 0%, so rollout.mode must be replace",
        at("rollout.maxSurge", "0%"),
        at("rollout.mode", "replace"),
    ),
    Rule(
        "rollout.maxSurge is 1, so rollout.mode must be surge",
        at("rollout", {"mode": "replace", "maxSurge": 1}),
        at("rollout.mode", "surge"),
    ),
    Rule(
        "rollout.maxUnavailable is 0% and nothing surges",
        at("rollout", {"mode": "replace", "maxUnavailable": "0%"}),
        at("rollout.maxUnavailable", 1),
    ),
    Rule(
        "rollout.maxUnavailable is 2, which stops all of 2 Pods",
        with_values(at("rollout.maxUnavailable", 2), at("scaling.replicas", 2)),
        at("rollout.maxUnavailable", 1),
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
        "scaling.windowSeconds is 60: monitoring.podMonitor.interval 16s needs 64 or more",
        with_values(KEDA, at("monitoring.podMonitor.interval", "16s")),
        at("scaling.windowSeconds", 64),
    ),
    Rule(
        "scaling.windowSeconds is 60: monitoring.podMonitor.interval 1m needs 240 or more",
        with_values(KEDA, at("monitoring.podMonitor.interval", "1m")),
        at("monitoring.podMonitor.interval", "15s"),
    ),
    Rule(
        "monitoring.podMonitor.interval is 76s: at most 75s is allowed with monitoring.prometheusRule",
        {"monitoring": {"podMonitor": {"enabled": True, "interval": "76s"}, "prometheusRule": {"enabled": True}}},
        at("monitoring.podMonitor.interval", "75s"),
    ),
    Rule(
        "monitoring.podMonitor.scrapeTimeout is 11s: at most interval 10s",
        at("monitoring.podMonitor.scrapeTimeout", "11s"),
        at("monitoring.podMonitor.interval", "11s"),
    ),
    Rule(
        "scaling.keda.extraTriggers holds queue-time-ms",
        with_values(KEDA, at("scaling.keda.extraTriggers", [{"type": "cpu", "name": "queue-time-ms", "metadata": {}}])),
        at("scaling.keda.extraTriggers", [{"type": "cpu", "name": "cpu", "metadata": {}}]),
    ),
    Rule(
        "scaling.keda.fallback.replicas is 5: from scaling.minReplicas 1 to maxReplicas 4",
        with_values(KEDA, {"scaling": RATE}, at("scaling.keda.fallback.replicas", 5)),
        at("scaling.maxReplicas", 5),
    ),
    Rule(
        "scaling.keda.fallback.replicas is given, so scaling.queueTime",
        with_values(KEDA, at("scaling.keda.fallback.replicas", 2)),
        {"scaling": RATE},
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
        "ingress.grpc.host or extraHosts holds a.example.com, as ingress.http",
        with_values(INGRESS, at("ingress.grpc.host", "a.example.com")),
        at("ingress.grpc.host", "b.example.com"),
    ),
    Rule(
        "ingress.grpc.host or extraHosts holds c.example.com, as ingress.http",
        with_values(
            INGRESS, {"ingress": {"http": {"extraHosts": ["c.example.com"]}, "grpc": {"host": "c.example.com"}}}
        ),
        at("ingress.grpc.host", "b.example.com"),
    ),
    Rule(
        "ingress.grpc.extraHosts is given, so ingress.grpc.host",
        with_values(INGRESS, at("ingress.grpc.extraHosts", ["b.example.com"])),
        at("ingress.grpc.host", "c.example.com"),
    ),
    Rule(
        "ingress.http.extraHosts holds a.example.com, as ingress.http.host",
        with_values(INGRESS, at("ingress.http.extraHosts", ["a.example.com"])),
        at("ingress.http.extraHosts", ["b.example.com"]),
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
    *(
        Rule(
            f"modelRepository.url names {address}, which is no public address",
            source(url=f"s3://{address}/bucket/models"),
            at("networkPolicy.modelSourceCidrs", ["10.0.0.0/8"]),
        )
        for address in (
            "http://minio.store.svc:9000",
            "minio.store.svc.cluster.example:9000",
            "minio:9000",
            "https://10.1.2.3:9000",
            "http://100.64.0.1:9000",
            "http://169.254.1.1",
        )
    ),
    Rule("service.loadBalancerClass is given", service(loadBalancerClass="a/b"), at("service.type", "LoadBalancer")),
    Rule("service.externalTrafficPolicy", service(externalTrafficPolicy="Local"), at("service.type", "NodePort")),
    Rule("service.nodePorts is given", service(nodePorts={"http": 30000}), at("service.type", "NodePort")),
    Rule(
        "service.nodePorts holds a port twice",
        service(type="NodePort", nodePorts={"http": 30000, "grpc": 30000}),
        at("service.nodePorts.grpc", 30001),
    ),
    Rule(
        "service.nodePorts.tfserving is given",
        service(type="NodePort", nodePorts={"tfserving": 30000}),
        at("tfservingFront.enabled", True),
    ),
    Rule(
        "pod.extraContainers or extraInitContainers holds triton",
        at("pod.extraContainers", [{**SIDE, "name": "triton"}]),
        at("pod.extraContainers", [SIDE]),
    ),
    Rule(
        "pod.extraContainers or extraInitContainers holds side",
        {"pod": {"extraContainers": [SIDE], "extraInitContainers": [SIDE]}},
        at("pod.extraInitContainers", []),
    ),
    Rule(
        "pod.extraVolumes holds tmp, a name that is taken",
        at("pod.extraVolumes", [{"name": "tmp", "emptyDir": {}}]),
        at("pod.extraVolumes", [{"name": "other", "emptyDir": {}}]),
    ),
    Rule(
        "server.extraVolumeMounts names the volume extra: pod.extraVolumes does not hold it",
        at("server.extraVolumeMounts", [MOUNT]),
        {"pod": EXTRA},
    ),
    Rule(
        "server.extraVolumeMounts mounts at /tmp/, where something else is mounted",
        {"pod": EXTRA, "server": {"extraVolumeMounts": [{**MOUNT, "mountPath": "/tmp/"}]}},
        at("server.extraVolumeMounts", [{**MOUNT, "mountPath": "/tmp/own"}]),
    ),
    Rule("pod.dnsPolicy is None", at("pod.dnsPolicy", "None"), at("pod.dnsConfig", {"nameservers": ["10.0.0.10"]})),
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
    Rule(
        "server.extraArgs holds --trace-config=rate=1, which another value sets",
        {"server": {"tracing": TRACING, "extraArgs": ["--trace-config=rate=1"]}, **COLLECTOR},
        at("server.tracing.otlpUrl", ""),
    ),
    Rule(
        "monitoring.podMonitor.relabelings is given, so monitoring.podMonitor.kind must be PodMonitor or Service",
        at("monitoring.podMonitor", {"kind": "PodMonitoring", "relabelings": [{"action": "drop"}]}),
        at("monitoring.podMonitor.relabelings", []),
    ),
    Rule(
        "monitoring.prometheusRule.enabled is true, so monitoring.podMonitor.kind must be PodMonitor or ServiceMonitor",
        {
            "monitoring": {
                "podMonitor": {"enabled": True, "kind": "PodMonitoring"},
                "prometheusRule": {"enabled": True},
            },
            **GMP,
        },
        at("monitoring.podMonitor.kind", "PodMonitor"),
    ),
    Rule(
        "so networkPolicy.monitoringNamespaces must hold gmp-system, or gke-gmp-system on Autopilot",
        at("monitoring.podMonitor", {"enabled": True, "kind": "PodMonitoring"}),
        GMP,
    ),
    Rule(
        "monitoring.prometheusRule.thresholds.headroomPercent is 20, so scaling.mode must be hpa or keda, and",
        with_values(KEDA, at("monitoring.prometheusRule", {"enabled": True, "thresholds": {"headroomPercent": 20}})),
        at("scaling.requestRate.perPodCapacity", 9),
    ),
    Rule(
        "server.extraArgs holds --trace-level=OFF, which another value sets",
        {"server": {"tracing": TRACING, "extraArgs": ["--trace-level=OFF"]}, **COLLECTOR},
        at("server.tracing.otlpUrl", ""),
    ),
    Rule("server.tracing.otlpUrl is given, so networkPolicy", {"server": {"tracing": TRACING}}, COLLECTOR),
    Rule(
        "lifecycle.nodeGraceSeconds is 119: lifecycle.drainDeadlineSeconds 90 and server.exitTimeoutSeconds 30",
        at("lifecycle.nodeGraceSeconds", 119),
        at("lifecycle.nodeGraceSeconds", 120),
    ),
    *(
        Rule(message, with_values(DELIVERED, broken), mended)
        for message, broken, mended in (
            (
                "delivery.enabled is true, so gateway.enabled must be true",
                at("gateway.enabled", False),
                at("gateway.enabled", True),
            ),
            (
                "delivery.enabled is true, so modelRepository.alias must be given",
                source(source="builder", alias=""),
                source(source="builder", alias="tiny"),
            ),
            (
                "delivery.enabled is true, so monitoring.podMonitor.enabled must be true",
                at("monitoring.podMonitor.enabled", False),
                at("monitoring.podMonitor.enabled", True),
            ),
            (
                "delivery.enabled is true, so service.headless must be false",
                at("service.headless", True),
                at("service.headless", False),
            ),
            (
                "delivery.enabled is true, so rollout.mode must be surge: it is replace",
                at("rollout.mode", "replace"),
                at("rollout.mode", "surge"),
            ),
            (
                "delivery.enabled is true, so gateway.gke.multiCluster and serviceExport must be false",
                at("gateway.gke.serviceExport", True),
                at("gateway.gke.serviceExport", False),
            ),
            (
                "delivery.enabled is true, so scaling.replicas must be 1 or more",
                at("scaling.replicas", 0),
                at("scaling.replicas", 1),
            ),
            (
                "delivery.judgement.windowSeconds is 60: monitoring.podMonitor.interval 16s needs 64 or more",
                at("monitoring.podMonitor.interval", "16s"),
                at("delivery.judgement.windowSeconds", 64),
            ),
            (
                "delivery.judgement.failureLimit is 3: less than count 3 is allowed",
                at("delivery.judgement.failureLimit", 3),
                at("delivery.judgement.count", 4),
            ),
            (
                "delivery.weights holds 25 after 50: each share must be larger",
                at("delivery.weights", [50, 25]),
                at("delivery.weights", [25, 50]),
            ),
            (
                "delivery.measure.ratePerSecond is given, so server.tls.secretName must be empty",
                {
                    "server": {"tls": {"secretName": "certificate"}},
                    "gateway": {"grpc": {"enabled": False}},
                    "tfservingFront": {"enabled": False},
                },
                at("delivery.measure.ratePerSecond", 0),
            ),
            (
                "delivery.measure.extraArgs holds --rate=3, which another value sets",
                at("delivery.measure.extraArgs", ["--rate=3"]),
                at("delivery.measure.extraArgs", ["--effort=quick", "--workers=2"]),
            ),
            (
                "delivery.measure.extraArgs holds --addr=x:1, which another value sets",
                at("delivery.measure.extraArgs", ["--addr=x:1"]),
                at("delivery.measure.extraArgs", []),
            ),
            (
                "rollout.maxSurge is 3, so delivery.enabled must be false",
                at("rollout.maxSurge", 3),
                at("rollout.maxSurge", ""),
            ),
        )
    ),
    Rule(
        "delivery.measure.ratePerSecond is given, so delivery.enabled must be true",
        at("delivery.measure.ratePerSecond", 20),
        DELIVERED,
    ),
    Rule(
        "server.extraArgs holds --allow-gpu-metrics=false, so scaling.gpuUtilization.enabled must be false",
        with_values(HPA_GPU, at("server.extraArgs", ["--allow-gpu-metrics=false"])),
        at("scaling.gpuUtilization.enabled", False),
    ),
]
FALLBACK = with_values(KEDA, {"scaling": RATE}, at("scaling.keda.fallback.replicas", 2))
MIRROR = {"requestMirror": {"backendRef": {"name": "shadow", "port": 8000}}}
CRON = {"type": "cron", "name": "day", "metricType": "AverageValue", "metadata": {}}
# What Kubernetes, KEDA or Prometheus would refuse of one manifest, when others are there already.
RULES += [
    *(
        Rule(
            f"{name} holds {wrong}: a range of addresses as 10.0.0.0/8 or fd00::/8 is allowed",
            with_values({"service": {"type": "LoadBalancer"}}, OPEN, ANYONE, at(name, [wrong])),
            at(name, [right]),
        )
        for name, wrong, right in (
            ("networkPolicy.clientCidrs", "10.0.0.0/33", "10.0.0.0/32"),
            ("networkPolicy.clientCidrs", "256.0.0.0/8", "255.0.0.0/8"),
            ("networkPolicy.modelSourceCidrs", "10.0.0/8", "10.0.0.0/0"),
            ("networkPolicy.modelSourceCidrs", "1::2::3/64", "1:2:3:4:5:6:7::/64"),
            ("service.loadBalancerSourceRanges", "fd00::/129", "fd00::/128"),
            ("service.loadBalancerSourceRanges", ":1::/3", "::1/3"),
        )
    ),
    Rule(
        "pod.hostAliases holds the ip 1.2.3: an IPv4 or IPv6 address is allowed",
        at("pod.hostAliases", [{"ip": "1.2.3", "hostnames": ["a"]}]),
        at("pod.hostAliases", [{"ip": "::ffff", "hostnames": ["a"]}]),
    ),
    Rule(
        "pod.dnsConfig.nameservers holds dns.example: an IPv4 or IPv6 address is allowed",
        at("pod.dnsConfig.nameservers", ["dns.example"]),
        at("pod.dnsConfig.nameservers", ["10.0.0.10"]),
    ),
    *(
        Rule(
            f"modelRepository.url names the service {wrong}: s3://HOST:PORT/BUCKET/PATH is allowed",
            source(url=f"s3://{wrong}/bucket/models"),
            source(url="s3://http://store.example.com:9000/bucket/models"),
        )
        for wrong in ("http://store.example.com:abc", "http://store.example.com:0900", "https://user@store.example.com")
    ),
    Rule(
        "modelRepository.url names port 99999: 1 to 65535 is allowed",
        source(url="s3://store.example.com:99999/bucket/models"),
        source(url="s3://store.example.com:65535/bucket/models"),
    ),
    Rule(
        "server.tracing.otlpUrl names port 65536: 1 to 65535 is allowed",
        {"server": {"tracing": {"otlpUrl": "http://collector.telemetry.svc:65536/v1/traces"}}, **COLLECTOR},
        {"server": {"tracing": TRACING}},
    ),
    *(
        Rule(
            f"{name} holds A with value and valueFrom: one of them is allowed",
            with_values(start, at(name, [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}])),
            at(name, [{"name": "A", "value": "1"}]),
        )
        for name, start in (("server.extraEnv", {}), ("modelRepository.builder.extraEnv", built(PLAN)))
    ),
    *(
        Rule(f"placement.tolerations holds {message}", at("placement.tolerations", [wrong]), mended)
        for message, wrong, mended in (
            (
                "the operator Exists with the value b: Exists takes none",
                {"key": "a", "operator": "Exists", "value": "b"},
                at("placement.tolerations", [{"key": "a", "operator": "Equal", "value": "b"}]),
            ),
            (
                "one without a key: its operator must be Exists",
                {"effect": "NoSchedule"},
                at("placement.tolerations", [{"operator": "Exists"}]),
            ),
            (
                "tolerationSeconds, so its effect must be NoExecute",
                {"key": "a", "operator": "Exists", "tolerationSeconds": 9},
                at(
                    "placement.tolerations",
                    [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}],
                ),
            ),
        )
    ),
    Rule(
        "placement.topologySpreadConstraints holds zone with DoNotSchedule twice: once is allowed",
        at("placement.topologySpreadConstraints", ZONES * 2),
        at("placement.topologySpreadConstraints", [*ZONES, {**ZONES[0], "whenUnsatisfiable": "ScheduleAnyway"}]),
    ),
    Rule(
        "placement.topologySpreadConstraints holds minDomains, so its whenUnsatisfiable must be DoNotSchedule",
        at(
            "placement.topologySpreadConstraints",
            [{**ZONES[0], "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}],
        ),
        at("placement.topologySpreadConstraints", [{**ZONES[0], "minDomains": 2}]),
    ),
    Rule(
        "placement.topologySpreadConstraints.matchLabelKeys holds app.kubernetes.io/name, which the label selector",
        at("placement.topologySpreadConstraints", [{**ZONES[0], "matchLabelKeys": ["app.kubernetes.io/name"]}]),
        at("placement.topologySpreadConstraints", [{**ZONES[0], "matchLabelKeys": ["pod-template-hash"]}]),
    ),
    *(
        Rule(
            f"pod.extraContainers or extraInitContainers holds side with the port {says}: the server has {taken}",
            with_values(start, at(f"pod.{kind}", [{**SIDE, "ports": [port]}])),
            at(f"pod.{kind}", [{**SIDE, "ports": [{"name": "side", "containerPort": 9000}]}]),
        )
        for kind, port, says, taken, start in (
            ("extraContainers", {"name": "metrics", "containerPort": 9000}, "metrics 9000", "metrics 8002", {}),
            ("extraInitContainers", {"name": "side", "containerPort": 8001}, "side 8001", "grpc 8001", {}),
            (
                "extraContainers",
                {"name": "side", "containerPort": 8888},
                "side 8888",
                "tfserving 8888",
                at("tfservingFront.enabled", True),
            ),
        )
    ),
    Rule(
        "scaling.keda.extraTriggers holds day twice: each trigger needs a name of its own",
        with_values(KEDA, at("scaling.keda.extraTriggers", [CRON, CRON])),
        at("scaling.keda.extraTriggers", [CRON, {**CRON, "name": "night"}]),
    ),
    *(
        Rule(
            f"gateway.{protocol}.filters holds a RequestMirror with {says}: requestMirror is allowed beside type",
            with_values(GATEWAY, at(f"gateway.{protocol}.filters", [{"type": "RequestMirror", **wrong}])),
            at(f"gateway.{protocol}.filters", [{"type": "RequestMirror", **MIRROR}]),
        )
        for protocol, wrong, says in (
            ("http", {}, "nothing"),
            ("grpc", {"requestHeaderModifier": {"remove": ["a"]}}, "requestHeaderModifier"),
            ("http", {**MIRROR, "extensionRef": {"name": "a"}}, "extensionRef, requestMirror"),
            ("grpc", {"requestMirror": {}}, "requestMirror"),
        )
    ),
    Rule(
        "scaling.keda.extraTriggers holds useCachedMetrics for the type cron",
        with_values(KEDA, at("scaling.keda.extraTriggers", [{**CRON, "useCachedMetrics": True}])),
        at("scaling.keda.extraTriggers", [{**CRON, "useCachedMetrics": False}]),
    ),
    *(
        Rule(
            f"so scaling.keda.extraTriggers may hold no trigger of the type {wrong['type']} without metricType",
            with_values(FALLBACK, at("scaling.keda.extraTriggers", [wrong])),
            at("scaling.keda.extraTriggers", [CRON]),
        )
        for wrong in (
            {"type": "cpu", "metricType": "Utilization", "metadata": {}},
            {"type": "cron", "metadata": {}},
        )
    ),
]
# Values that another one turns off: what turns each on.
TRACED = with_values(at("server.tracing", TRACING), COLLECTOR)
WITHOUT_EFFECT: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("server.tracing.rate", 10, {}, TRACED),
    ("server.tracing.serviceName", "shop", {}, TRACED),
    ("server.rateLimit.tierExecutions", 2, {}, at("modelRepository.tiers.original.tier", 1)),
    ("modelRepository.path", "models", {}, source(source="image", image={"reference": "models:1"})),
    ("modelRepository.credentials.key", "other.json", {}, at("modelRepository.credentials.secretName", "key")),
    ("gateway.gke.healthCheckIntervalSeconds", 9, GATEWAY, at("gateway.gke.healthCheckPolicy", True)),
    ("gateway.gke.backendTimeoutSeconds", 9, GATEWAY, at("gateway.gke.backendPolicy", True)),
    ("ingress.http.annotations", {"a": "b"}, {}, at("ingress.http.host", "a.example.com")),
    ("ingress.grpc.annotations", {"a": "b"}, {}, at("ingress.grpc.host", "b.example.com")),
    (
        "delivery.measure.extraArgs",
        ["--effort=quick"],
        with_values(DELIVERED, at("delivery.measure.ratePerSecond", 0)),
        at("delivery.measure.ratePerSecond", 20),
    ),
    ("modelRepository.builder.useGpu", True, {}, built(PLAN)),
    ("modelRepository.builder.extraArgs", ["--jobs=2"], {}, built(PLAN)),
    ("modelRepository.builder.extraEnv", [{"name": "A", "value": "b"}], {}, built(PLAN)),
    ("modelRepository.builder.extraEnvFrom", [{"secretRef": {"name": "a"}}], {}, built(PLAN)),
    (
        "modelRepository.builder.extraVolumeMounts",
        [MOUNT],
        {"pod": EXTRA},
        built(PLAN),
    ),
]
# What only the API server would refuse, half way through an installation.
KEYS = {"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}
SET = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}
ROUTES = with_values(OPEN, {"gateway": {"enabled": True, "grpc": {"enabled": False}}})


def routed(**values: Any) -> dict[str, Any]:
    return with_values(ROUTES, {"gateway": {"parentRefs": [{"name": "shared"}], **values}})


RULES += [
    Rule(
        "modelRepository.hostPath.path /a/../b goes back",
        source(source="hostPath", hostPath={"path": "/a/../b"}),
        at("modelRepository.hostPath.path", "/a/..b"),
    ),
    *(
        Rule(
            f"server.extraVolumeMounts holds the subPath {path}: a path inside the volume",
            {"pod": EXTRA, "server": {"extraVolumeMounts": [{**MOUNT, "subPath": path}]}},
            at("server.extraVolumeMounts", [{**MOUNT, "subPath": "a/..b"}]),
        )
        for path in ("../b", "/b")
    ),
    Rule(
        "server.extraEnvFrom holds one with configMapRef and secretRef",
        at("server.extraEnvFrom", [KEYS]),
        at("server.extraEnvFrom", [{name: KEYS[name]} for name in KEYS]),
    ),
    Rule(
        "modelRepository.builder.extraEnvFrom holds one with prefix",
        with_values(built(PLAN), at("modelRepository.builder.extraEnvFrom", [{"prefix": "A_"}])),
        at("modelRepository.builder.extraEnvFrom", [{"prefix": "A_", "secretRef": {"name": "a"}}]),
    ),
    Rule(
        "pod.extraContainers holds side with a restartPolicy",
        at("pod.extraContainers", [{**SIDE, "restartPolicy": "Always"}]),
        {"pod": {"extraContainers": [], "extraInitContainers": [{**SIDE, "restartPolicy": "Always"}]}},
    ),
    *(
        Rule(
            f"server.extraVolumeMounts mounts at {path}: a path without //",
            {"pod": EXTRA, "server": {"extraVolumeMounts": [{**MOUNT, "mountPath": path}]}},
            at("server.extraVolumeMounts", [{**MOUNT, "mountPath": "/a/...b/.c/"}]),
        )
        for path in ("//", "/a/../tmp", "/a/.")
    ),
    Rule(
        "pod.hostAliases holds the ip 10.0.0.1 twice",
        at("pod.hostAliases", [{"ip": "10.0.0.1", "hostnames": [name]} for name in ("a", "b")]),
        at("pod.hostAliases", [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}]),
    ),
    *(
        Rule(
            f"resources.requests.{name} is 2: limits.{name} must be the same",
            at("resources.requests", {name: 2}),
            at("resources.limits", {name: "2"}),
        )
        for name in ("example.com/nic", "hugepages-2Mi")
    ),
    Rule(
        "resources.limits.example.com/nic is 500m: a whole number",
        at("resources.limits", {"example.com/nic": "500m"}),
        at("resources.limits", {"example.com/nic": "2k"}),
    ),
    Rule(
        "modelRepository.builder.plan has 1000001 bytes: at most 1000000 are allowed, as a ConfigMap",
        built(PLAN + "#" * (1_000_001 - len(PLAN))),
        built(PLAN + "#" * (1_000_000 - len(PLAN))),
    ),
    Rule(
        "modelRepository.builder.plan has 200001 bytes: at most 200000 are allowed, as an annotation",
        with_values(DELIVERED, at("modelRepository.builder.plan", PLAN + "#" * (200_001 - len(PLAN)))),
        at("modelRepository.builder.plan", PLAN + "#" * (200_000 - len(PLAN))),
    ),
    *(
        Rule(
            f"monitoring.podMonitor.{at_} writes the label {label}, by which alerts",
            with_values(KEDA, at(f"monitoring.podMonitor.{at_}", [{"targetLabel": label, "replacement": "x"}])),
            at(f"monitoring.podMonitor.{at_}", [{"targetLabel": "team", "replacement": "x"}]),
        )
        for at_, label in (("relabelings", "job"), ("metricRelabelings", "model"))
    ),
    Rule(
        "gateway.parentRefs holds the Gateway inference/shared twice",
        routed(parentRefs=[{"name": "shared"}, {"name": "shared", "sectionName": "a", "namespace": "inference"}]),
        at("gateway.parentRefs", [{"name": "shared", "sectionName": name} for name in ("a", "b")]),
    ),
    Rule(
        "gateway.http.filters holds a RequestHeaderModifier twice",
        routed(http={"filters": [SET, SET]}),
        at("gateway.http.filters", [SET]),
    ),
    Rule(
        "tfservingFront.resources.limits.memory is 1Gi: maxRequestMegabytes 17 and maxAnswerMegabytes 64 need 1070Mi",
        {"tfservingFront": {"enabled": True, "maxRequestMegabytes": 17, "maxAnswerMegabytes": 64}},
        at("tfservingFront.resources.limits.memory", "1070Mi"),
    ),
]
RULES += [
    Rule(f"{path} is given, so ", with_values(start, at(path, value)), mended)
    for path, value, start, mended in WITHOUT_EFFECT
]


_SAID: dict[str, str] = {}


def refusal(values: dict[str, Any], kube_version: str = "1.34.0") -> str:
    """What Helm says; the first line only, after which it may hint at its --debug flag. Asked once for the same."""
    key = json.dumps([values, kube_version], sort_keys=True)
    if key not in _SAID:
        _SAID[key] = _refusal(values, kube_version)
    return _SAID[key]


def _refusal(values: dict[str, Any], kube_version: str) -> str:
    with pytest.raises(HelmRefused) as refused:
        render(with_values(URL, values), kube_version=kube_version)
    return str(refused.value).splitlines()[0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.message)
def test_rule_refuses(rule: Rule) -> None:
    assert rule.message in refusal(rule.broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.message)
def test_rule_lets_pass(rule: Rule) -> None:
    assert render(with_values(URL, rule.broken, rule.mended))


def test_gpus_are_refused_beside_gpu_count_whatever_name_that_has() -> None:
    values = {"gpu": {"resourceName": "nvidia.com/mig-1g.5gb"}, "resources": {"limits": {"nvidia.com/gpu": 1}}}
    assert "resources.limits holds nvidia.com/gpu: GPUs are a matter of gpu.count" in refusal(values)


def test_no_volume_and_no_path_of_the_chart_can_be_taken() -> None:
    tls = {"server": {"tls": {"secretName": "pair", "clientCaSecret": "ca"}}, "tfservingFront": {"enabled": False}}
    key = at("modelRepository.credentials.secretName", "key")
    volumes, paths = set(), set()
    for values in (with_values(URL, tls, key), with_values(URL, built(PLAN, url=""), tls)):
        pod = one(render(values), "Deployment")["spec"]["template"]["spec"]
        volumes |= {volume["name"] for volume in pod["volumes"]}
        paths |= {mount["mountPath"] for one_of in pod["containers"] for mount in one_of["volumeMounts"]}
    assert {"client-ca", "tls", "tmp", "plan"} <= volumes
    for name in sorted(volumes):
        assert f"pod.extraVolumes holds {name}, a name that is taken" in refusal(
            {"pod": {"extraVolumes": [{"name": name, "emptyDir": {}}]}}
        )
    for path in sorted(paths):
        values = {"pod": EXTRA, "server": {"extraVolumeMounts": [{**MOUNT, "mountPath": path}]}}
        assert f"mounts at {path}, where something else is mounted" in refusal(values)


@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_requests_and_limits_may_be_taken_away(kind: str) -> None:
    server = one(render(with_values(URL, at(f"resources.{kind}", None))), "Deployment")["spec"]["template"]["spec"]
    assert "memory" not in (server["containers"][0]["resources"].get(kind) or {})


def test_image_volumes_need_kubernetes_1_31() -> None:
    assert "needs Kubernetes 1.31 or later" in refusal(IMAGE_VOLUME, "1.30.0")
    assert render(IMAGE_VOLUME, kube_version="1.31.0")


def test_kubernetes_before_1_30_is_refused() -> None:
    with pytest.raises(HelmRefused, match="kubeVersion"):
        render(URL, kube_version="1.29.0")


def test_every_rule_has_its_case() -> None:
    """Each refusal of the template is met by a case above, compared by its text."""
    files = sorted((ROOT / "charts/triton/templates").glob("validations*.yaml"))
    assert len(files) == 2
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    messages = [refusal(rule.broken) for rule in RULES] + [refusal(IMAGE_VOLUME, "1.30.0")]
    for form in re.findall(r'\{\{ include "triton.refuse" \(list \$ (?:\(printf )?"([^"]*)"', text):
        pattern = re.sub(r"%[sdv]", ".+", re.escape(form).replace(r"\%", "%"))
        assert any(re.search(pattern, message) for message in messages), form


def test_rules_render_nothing() -> None:
    assert all(manifest["kind"] for manifest in render(EVERYTHING))
