"""How clients reach Triton, and who may."""

import json
import re
from typing import Any

import pytest
from cases import DELIVERED, URL, at, with_values
from render import Manifest, kinds, one, render
from tritonclient.grpc import service_pb2
from validation import errors

HOSTS = {"http": {"hostnames": ["http.example.com"]}, "grpc": {"hostnames": ["grpc.example.com"]}}
OPEN = {"networkPolicy": {"clientNamespaces": ["gateway"]}}
GATEWAY = with_values(URL, OPEN, {"gateway": {"enabled": True, "parentRefs": [{"name": "shared"}], **HOSTS}})


def ports(service: Manifest) -> dict[str, tuple[int, str]]:
    return {port["name"]: (port["port"], port["appProtocol"]) for port in service["spec"]["ports"]}


def test_service_offers_http_and_grpc_on_the_given_ports() -> None:
    service = one(render(with_values(URL, at("service", {"httpPort": 80, "grpcPort": 81}))), "Service", "demo-triton")
    assert ports(service) == {"http": (80, "http"), "grpc": (81, "kubernetes.io/h2c")}


def test_service_does_not_select_the_test_pod() -> None:
    manifests = render(URL)
    selector = one(manifests, "Service", "demo-triton")["spec"]["selector"]
    assert not selector.items() <= one(manifests, "Pod")["metadata"]["labels"].items()
    assert selector.items() <= one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"].items()


def test_headless_service_gives_the_address_of_every_pod() -> None:
    assert one(render(URL), "Service", "-headless")["spec"]["clusterIP"] == "None"
    assert kinds(render(with_values(URL, at("service.headless", False)))).count("Service") == 1


def test_load_balancer_takes_type_annotations_and_ranges() -> None:
    service = {"type": "LoadBalancer", "annotations": {"a/b": "c"}, "loadBalancerSourceRanges": ["10.0.0.0/8"]}
    values = with_values(URL, {"service": service}, at("networkPolicy.clientCidrs", ["10.0.0.0/8"]))
    manifest = one(render(values), "Service", "demo-triton")
    assert manifest["metadata"]["annotations"] == {"a/b": "c"}
    assert manifest["spec"]["type"] == "LoadBalancer"
    assert manifest["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]


def test_routes_attach_to_the_given_gateway() -> None:
    manifests = render(GATEWAY)
    for kind, port, host in (("HTTPRoute", 8000, "http.example.com"), ("GRPCRoute", 8001, "grpc.example.com")):
        spec = one(manifests, kind)["spec"]
        assert (spec["parentRefs"], spec["hostnames"]) == ([{"name": "shared"}], [host])
        assert spec["rules"][0]["backendRefs"] == [{"name": "demo-triton", "port": port}]
    assert "Gateway" not in kinds(manifests)


@pytest.mark.parametrize(("off", "left"), [("http", "GRPCRoute"), ("grpc", "HTTPRoute")])
def test_protocol_can_be_left_out(off: str, left: str) -> None:
    manifests = render(with_values(GATEWAY, at(f"gateway.{off}.enabled", False)))
    assert [kind for kind in kinds(manifests) if kind.endswith("Route")] == [left]


def routed(manifest: Manifest) -> list[str]:
    """What a route matches: paths, or service/method."""
    found = [match for rule in manifest["spec"]["rules"] for match in rule["matches"]]
    methods = [f"/{one['method']['service']}/{one['method']['method']}" for one in found if "method" in one]
    return methods + [one["path"]["value"] for one in found if "path" in one]


def ingress_paths(manifest: Manifest) -> list[str]:
    return [one["path"] for rule in manifest["spec"]["rules"] for one in rule["http"]["paths"]]


INGRESS = {"enabled": True, "http": {"host": "a.example.com"}, "grpc": {"host": "b.example.com"}}
# What a client may ask about a model, and what Triton 2.51 serves beside it (the patterns in its http_server.cc).
PUBLIC = ["", "/infer", "/generate", "/generate_stream", "/ready", "/config"]
INSIDE = ["/stats", "/trace/setting"]


def test_each_http_path_is_routed_by_itself_and_nothing_but_inference_health_and_descriptions() -> None:
    chosen = {"modelRepository": {"models": ["original", "fast.v2"], "alias": "net"}}
    manifests = render(with_values(GATEWAY, chosen, {"ingress": INGRESS}))
    models = [f"/v2/models/{name}" for name in ("original", "fast.v2", "net")]
    versions = [end for name in models for end in (name, f"{name}/versions/1")]
    public = {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index"} | {
        name + end for name in versions for end in PUBLIC
    }
    route, ingress = one(manifests, "HTTPRoute"), one(manifests, "Ingress", "-http")
    assert set(routed(route)) == set(ingress_paths(ingress)) == public
    kinds_of_match = {match["path"]["type"] for rule in route["spec"]["rules"] for match in rule["matches"]}
    kinds_of_path = {one["pathType"] for one in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert kinds_of_match == kinds_of_path == {"Exact"}
    assert not public & {name + end for name in versions for end in INSIDE}


def test_versions_that_a_path_may_name_come_from_the_values() -> None:
    versions = at("publicApi.modelVersions", [3])
    paths = routed(one(render(with_values(GATEWAY, versions)), "HTTPRoute"))
    assert "/v2/models/original/versions/3/infer" in paths
    assert "/v2/models/original/versions/1/infer" not in paths


def test_only_inference_health_and_descriptions_are_routed_over_grpc() -> None:
    manifests = render(with_values(GATEWAY, {"ingress": INGRESS}))
    grpc = routed(one(manifests, "GRPCRoute"))
    assert grpc == ingress_paths(one(manifests, "Ingress", "-grpc"))
    described = {
        descriptor.name for descriptor in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods
    }
    own = {name.rpartition("/")[2] for name in grpc if name.startswith("/inference.GRPCInferenceService/")}
    assert own <= described
    assert set(grpc) == {f"/inference.GRPCInferenceService/{name}" for name in own} | {"/grpc.health.v1.Health/Check"}
    assert described - own == {
        "ModelStatistics",
        "RepositoryModelLoad",
        "RepositoryModelUnload",
        "SystemSharedMemoryStatus",
        "SystemSharedMemoryRegister",
        "SystemSharedMemoryUnregister",
        "CudaSharedMemoryStatus",
        "CudaSharedMemoryRegister",
        "CudaSharedMemoryUnregister",
        "TraceSetting",
        "LogSettings",
    }


def test_routes_of_many_models_are_divided_as_the_gateway_api_demands() -> None:
    models = {"modelRepository": {"models": [f"model-{number}" for number in range(30)]}}
    manifests = render(with_values(GATEWAY, models, at("tfservingFront.enabled", True)))
    assert errors(manifests) == []
    routes = [item for item in manifests if item["kind"] == "HTTPRoute"]
    assert len(routes) > 1
    assert sum(len(routed(route)) for route in routes) == 4 + 30 * 12 + 1
    assert all(len(rule["matches"]) <= 8 for route in routes for rule in route["spec"]["rules"])
    assert all(len(route["spec"]["rules"]) <= 16 for route in routes)


def test_rules_take_their_time_and_filters() -> None:
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-internal"]}}
    details = {"gateway": {"http": {"timeoutSeconds": 12, "filters": [header]}, "grpc": {"filters": [header]}}}
    manifests = render(with_values(GATEWAY, details, at("tfservingFront.enabled", True)))
    assert errors(manifests) == []
    rules = one(manifests, "HTTPRoute")["spec"]["rules"]
    assert all((rule["timeouts"], rule["filters"]) == ({"request": "12s"}, [header]) for rule in rules)
    assert all(rule["filters"] == [header] for rule in one(manifests, "GRPCRoute")["spec"]["rules"])


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_no_rule_has_more_matches_than_older_gateways_take(kind: str) -> None:
    manifests = render(with_values(GATEWAY, at("gateway.grpc.routeKind", kind)))
    rules = one(manifests, kind, "-grpc")["spec"]["rules"]
    assert max(len(rule["matches"]) for rule in rules) <= 8


def test_gateway_of_its_own_terminates_tls() -> None:
    create = {
        "enabled": True,
        "className": "any",
        "tlsSecretName": "certificate",
        "tlsOptions": {"networking.gke.io/pre-shared-certs": "x"},
        "annotations": {"a/b": "c"},
        "addressName": "reserved",
    }
    manifests = render(with_values(GATEWAY, at("gateway.parentRefs", []), at("gateway.create", create)))
    gateway = one(manifests, "Gateway")
    listener = gateway["spec"]["listeners"][0]
    assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
    assert listener["tls"]["certificateRefs"] == [{"name": "certificate"}]
    assert listener["tls"]["options"] == {"networking.gke.io/pre-shared-certs": "x"}
    assert gateway["metadata"]["annotations"] == {"a/b": "c"}
    assert gateway["spec"]["addresses"] == [{"type": "NamedAddress", "value": "reserved"}]
    assert one(manifests, "HTTPRoute")["spec"]["parentRefs"] == [{"name": "demo-triton"}]


def test_gateway_without_certificate_listens_in_plain_http() -> None:
    create = {"enabled": True, "className": "any"}
    listener = one(render(with_values(GATEWAY, at("gateway.create", create))), "Gateway")["spec"]["listeners"][0]
    assert (listener["protocol"], listener["port"]) == ("HTTP", 80)


def test_gke_routes_grpc_by_path_and_checks_readiness() -> None:
    manifests = render(with_values(URL, {"gateway": HOSTS}), files=["gateway-gke"])
    match = one(manifests, "HTTPRoute", "-grpc")["spec"]["rules"][0]["matches"][0]
    assert match["path"] == {"type": "Exact", "value": "/inference.GRPCInferenceService/ModelInfer"}
    policy = one(manifests, "HealthCheckPolicy")["spec"]
    assert policy["targetRef"]["name"] == "demo-triton"
    # the gRPC backend too is checked over HTTP
    check = {"portSpecification": "USE_FIXED_PORT", "port": 8000, "requestPath": "/v2/health/ready"}
    assert policy["default"]["config"] == {"type": "HTTP", "httpHealthCheck": check}


def test_health_check_takes_its_interval() -> None:
    values = with_values(GATEWAY, at("gateway.gke", {"healthCheckPolicy": True, "healthCheckIntervalSeconds": 3}))
    default = one(render(values), "HealthCheckPolicy")["spec"]["default"]
    assert (default["checkIntervalSec"], default["timeoutSec"]) == (3, 3)


def test_gke_lets_requests_end_for_as_long_as_the_drain_may_take() -> None:
    gke = {"gateway": {"gke": {"backendPolicy": True, "backendTimeoutSeconds": 12}}}
    values = with_values(GATEWAY, gke, at("lifecycle.drainDeadlineSeconds", 77))
    default = one(render(values), "GCPBackendPolicy")["spec"]["default"]
    assert default == {"timeoutSec": 12, "connectionDraining": {"drainingTimeoutSec": 77}}
    assert "GCPBackendPolicy" not in kinds(render(GATEWAY))


def test_gke_lets_in_only_the_clients_of_the_security_policy() -> None:
    values = with_values(GATEWAY, at("gateway.gke", {"backendPolicy": True, "securityPolicy": "clients"}))
    assert one(render(values), "GCPBackendPolicy")["spec"]["default"]["securityPolicy"] == "clients"


def test_gateway_of_several_regions_stands_for_the_services_of_all_clusters() -> None:
    values = with_values(URL, {"gateway": {"http": {"hostnames": ["a.example.com"]}, "grpc": {"enabled": False}}})
    manifests = render(values, files=["tfserving-front", "gateway-gke", "gateway-gke-regions"])
    there = {"group": "net.gke.io", "kind": "ServiceImport", "name": "demo-triton"}
    *rules, front = [rule["backendRefs"] for rule in one(manifests, "HTTPRoute")["spec"]["rules"]]
    assert all(rule == [{**there, "port": 8000}] for rule in rules)
    assert front == [{**there, "port": 8888}]
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        assert one(manifests, kind)["spec"]["targetRef"] == there
    assert one(manifests, "ServiceExport")["metadata"]["name"] == there["name"]


def test_further_region_exports_its_service_and_has_no_gateway() -> None:
    there = set(kinds(render(URL, files=["gateway-gke", "gateway-gke-region"])))
    assert "ServiceExport" in there
    assert not {"Gateway", "HTTPRoute", "HealthCheckPolicy", "GCPBackendPolicy"} & there


def test_ingress_has_one_object_for_each_protocol() -> None:
    ingress = {
        "enabled": True,
        "className": "nginx",
        "http": {"host": "http.example.com"},
        "grpc": {"host": "grpc.example.com", "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"}},
        "tlsSecretName": "certificate",
    }
    manifests = render(with_values(URL, OPEN, {"ingress": ingress}))
    for protocol in ("http", "grpc"):
        manifest = one(manifests, "Ingress", f"-{protocol}")
        host = f"{protocol}.example.com"
        assert manifest["spec"]["ingressClassName"] == "nginx"
        assert manifest["spec"]["tls"] == [{"secretName": "certificate", "hosts": [host]}]
        assert manifest["spec"]["rules"][0]["host"] == host
        backend = manifest["spec"]["rules"][0]["http"]["paths"][0]["backend"]
        assert backend == {"service": {"name": "demo-triton", "port": {"name": protocol}}}
        assert ("annotations" in manifest["metadata"]) is (protocol == "grpc")


def test_ingress_takes_several_hosts_of_a_protocol() -> None:
    http = {"host": "a.example.com", "extraHosts": ["b.example.com"]}
    spec = one(
        render(with_values(URL, OPEN, {"ingress": {"enabled": True, "http": http, "tlsSecretName": "c"}})), "Ingress"
    )["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["a.example.com", "b.example.com"]
    assert spec["rules"][0]["http"] == spec["rules"][1]["http"]
    assert spec["tls"] == [{"secretName": "c", "hosts": ["a.example.com", "b.example.com"]}]


def test_service_takes_node_ports_class_and_traffic_policy() -> None:
    details = {
        "type": "LoadBalancer",
        "loadBalancerClass": "example.com/internal",
        "externalTrafficPolicy": "Local",
        "nodePorts": {"http": 30080, "grpc": 30081},
    }
    values = with_values(URL, {"service": details}, at("networkPolicy.clientCidrs", ["10.0.0.0/8"]))
    manifests = render(values)
    assert errors(manifests) == []
    spec = one(manifests, "Service", "demo-triton")["spec"]
    assert (spec["loadBalancerClass"], spec["externalTrafficPolicy"]) == ("example.com/internal", "Local")
    assert [port["nodePort"] for port in spec["ports"]] == [30080, 30081]


def policy(*values: dict[str, Any]) -> dict[str, Any]:
    return one(render(with_values(URL, *values)), "NetworkPolicy")["spec"]


def namespaces(rule: dict[str, Any]) -> list[str]:
    found = [peer["namespaceSelector"]["matchLabels"] for peer in rule["from"] if "namespaceSelector" in peer]
    return [labels["kubernetes.io/metadata.name"] for labels in found]


def test_only_named_clients_come_in() -> None:
    clients, monitoring = policy(
        at(
            "networkPolicy",
            {"clientNamespaces": ["a", "b"], "clientCidrs": ["10.0.0.0/8"], "monitoringNamespaces": ["m"]},
        )
    )["ingress"]
    assert [port["port"] for port in clients["ports"]] == [8000, 8001]
    assert (clients["from"][0], clients["from"][-1]) == ({"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}})
    assert namespaces(clients) == ["a", "b"]
    assert ([port["port"] for port in monitoring["ports"]], namespaces(monitoring)) == ([8002], ["m"])


def test_bucket_and_metadata_server_may_be_reached() -> None:
    rules = policy(at("networkPolicy.modelSourceCidrs", ["199.36.153.8/30"]))["egress"]
    assert {port["port"] for port in rules[0]["ports"]} == {53}
    assert rules[1]["to"] == [{"ipBlock": {"cidr": "199.36.153.8/30"}}]
    assert {"ipBlock": {"cidr": "169.254.169.254/32"}} in rules[2]["to"]
    assert len(policy(at("networkPolicy.metadataServer", False))["egress"]) == 2


VOLUME = {"source": "persistentVolumeClaim", "url": "", "persistentVolumeClaim": {"claimName": "models"}}


def test_with_a_volume_only_dns_may_be_reached() -> None:
    assert len(policy({"modelRepository": VOLUME})["egress"]) == 1


def test_a_claim_s_bucket_may_be_reached_where_it_is_named() -> None:
    """A claim may be served by a FUSE sidecar in the Pod, which the same policy holds."""
    values = {"modelRepository": VOLUME, "networkPolicy": {"modelSourceCidrs": ["199.36.153.8/30"]}}
    _, bucket, metadata = policy(values)["egress"]
    assert bucket["to"] == [{"ipBlock": {"cidr": "199.36.153.8/30"}}]
    assert {"ipBlock": {"cidr": "169.254.169.254/32"}} in metadata["to"]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("gs://bucket/models", 443),
        ("s3://bucket/models", 443),
        ("s3://https://store.example.com:9000/bucket/models", 9000),
        ("s3://http://store.example.com/bucket/models", 80),
        ("s3://store.example.com:9001/bucket/models", 9001),
    ],
)
def test_the_port_of_the_model_source_is_that_of_the_url(url: str, port: int) -> None:
    assert policy(at("modelRepository.url", url))["egress"][1]["ports"] == [{"port": port, "protocol": "TCP"}]


def test_without_ranges_a_bucket_is_a_public_address() -> None:
    public = policy()["egress"][1]["to"][0]["ipBlock"]
    assert public["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(public["except"])


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ({}, True),
        ({"modelRepository": {"url": "s3://bucket/models"}}, False),
        ({"modelRepository": {"credentials": {"secretName": "key"}}}, False),
        ({"networkPolicy": {"metadataServer": False}}, False),
    ],
)
def test_the_metadata_server_is_reached_only_for_workload_identity(values: dict[str, Any], reached: bool) -> None:
    peers = [peer for rule in policy(values)["egress"] for peer in rule.get("to", [])]
    assert ({"ipBlock": {"cidr": "169.254.169.254/32"}} in peers) is reached


def test_telemetry_reaches_the_named_collectors() -> None:
    rule = policy(at("networkPolicy.telemetryNamespaces", ["telemetry"]))["egress"][-1]
    assert [port["port"] for port in rule["ports"]] == [4317, 4318]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "telemetry"}}}]


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("http://collector.telemetry.svc:4318/v1/traces", [4317, 4318]),
        ("http://collector.telemetry.svc:9411/v1/traces", [4317, 4318, 9411]),
        ("http://collector.telemetry.svc/v1/traces", [4317, 4318, 80]),
        ("https://[fd00::1]/v1/traces", [4317, 4318, 443]),
    ],
)
def test_the_port_of_the_traces_is_open(url: str, ports: list[int]) -> None:
    values = with_values(at("networkPolicy.telemetryNamespaces", ["telemetry"]), at("server.tracing.otlpUrl", url))
    assert [port["port"] for port in policy(values)["egress"][-1]["ports"]] == ports


def test_rules_of_ones_own_are_added() -> None:
    incoming = {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 9000}]}
    outgoing = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 9000}]}
    spec = policy({"networkPolicy": {"extraIngress": [incoming], "extraEgress": [outgoing]}})
    assert (spec["ingress"][-1], spec["egress"][-1]) == (incoming, outgoing)


def test_network_policy_can_be_left_out() -> None:
    assert "NetworkPolicy" not in kinds(render(with_values(URL, at("networkPolicy.enabled", False))))


def test_pod_monitor_scrapes_the_metrics_port() -> None:
    monitor = {"enabled": True, "interval": "7s", "labels": {"release": "prometheus"}}
    manifest = one(render(with_values(URL, at("monitoring.podMonitor", monitor))), "PodMonitor")
    assert manifest["metadata"]["labels"]["release"] == "prometheus"
    assert manifest["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "7s"}]
    assert "PodMonitor" not in kinds(render(URL))


def test_pod_monitor_takes_its_time_and_relabelling_beside_what_the_alias_needs() -> None:
    keep = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    drop = {"action": "drop", "sourceLabels": ["__name__"], "regex": "nv_energy.*"}
    monitor = {"enabled": True, "scrapeTimeout": "5s", "relabelings": [keep], "metricRelabelings": [drop]}
    values = with_values(URL, at("monitoring.podMonitor", monitor), at("modelRepository.alias", "net"))
    manifests = render(values)
    assert errors(manifests) == []
    (endpoint,) = one(manifests, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["scrapeTimeout"], endpoint["relabelings"]) == ("5s", [keep])
    assert endpoint["metricRelabelings"] == [{"action": "drop", "sourceLabels": ["model"], "regex": "net"}, drop]


def test_google_s_prometheus_scrapes_by_its_own_kind_and_queries_know_its_job_label() -> None:
    drop = {"action": "drop", "sourceLabels": ["__name__"], "regex": "nv_energy.*"}
    monitor = {"enabled": True, "kind": "PodMonitoring", "scrapeTimeout": "5s", "metricRelabelings": [drop]}
    reached = at("networkPolicy.monitoringNamespaces", ["gmp-system"])
    manifests = render(
        with_values(DELIVERED, reached, at("monitoring.podMonitor", monitor), at("scaling.mode", "keda"))
    )
    assert errors(manifests) == []
    spec = one(manifests, "PodMonitoring")["spec"]
    (endpoint,) = spec["endpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["timeout"]) == ("metrics", "10s", "5s")
    assert endpoint["metricRelabeling"][1:] == [drop]
    pairs = [{"from": "rollouts-pod-template-hash", "to": "rollouts_pod_template_hash"}]
    assert spec["targetLabels"] == {"fromPod": pairs}
    assert "PodMonitor" not in kinds(manifests)
    queries = json.dumps([one(manifests, "ScaledObject"), one(manifests, "AnalysisTemplate", "-objective")])
    assert set(re.findall(r'job=\\+"([^"\\]*)', queries)) == {"demo-triton"}


def test_a_service_monitor_scrapes_each_pod_once_and_queries_know_its_job_label() -> None:
    keep = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    monitor = {"enabled": True, "kind": "ServiceMonitor", "scrapeTimeout": "5s", "relabelings": [keep]}
    rules = at("monitoring.prometheusRule.enabled", True)
    manifests = render(with_values(DELIVERED, rules, at("monitoring.podMonitor", monitor), at("scaling.mode", "keda")))
    assert errors(manifests) == []
    spec = one(manifests, "ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("metrics", "10s", "5s")
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "inference/demo-triton"}, keep]
    assert endpoint["metricRelabelings"] == [{"action": "drop", "sourceLabels": ["model"], "regex": "tiny"}]
    assert spec["podTargetLabels"] == ["rollouts-pod-template-hash"]
    # One of the Services that stand for the Pods, as each of them would have Prometheus scrape every Pod once more.
    wanted = spec["selector"]["matchLabels"].items()
    services = [item for item in manifests if item["kind"] == "Service"]
    (service,) = [item for item in services if wanted <= item["metadata"]["labels"].items()]
    assert len(services) == 3
    assert service["spec"]["ports"] == [
        {"name": "metrics", "port": 8002, "targetPort": "metrics", "appProtocol": "http"}
    ]
    assert service["spec"]["publishNotReadyAddresses"] is True
    pod = one(manifests, "Rollout")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pod.items()
    asked = [one(manifests, "ScaledObject"), one(manifests, "AnalysisTemplate", "-objective")]
    queries = json.dumps([*asked, one(manifests, "PrometheusRule")])
    assert set(re.findall(r'job=\\+"([^"\\]*)', queries)) == {"inference/demo-triton"}
    assert not {"PodMonitor", "PodMonitoring"} & set(kinds(manifests))


def test_helm_test_asks_the_service_for_each_model() -> None:
    test = {"image": {"registry": "localhost:5000", "tag": "9"}, "timeoutSeconds": 77}
    manifests = render(with_values(URL, at("modelRepository.models", ["a", "b"]), {"test": test}))
    pod = one(manifests, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["activeDeadlineSeconds"] == 77
    container = pod["spec"]["containers"][0]
    assert container["image"] == "localhost:5000/locust:9"
    assert container["command"][2:] == ["demo-triton:8000", "demo-triton:8001", "a", "b"]
    compile(one(manifests, "ConfigMap", "-scripts")["data"]["smoke_test.py"], "smoke_test.py", "exec")


CLAIM = {"modelRepository": {"source": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}}}


def test_helm_test_asks_with_the_samples_of_a_volume() -> None:
    values = with_values(CLAIM, at("modelRepository.path", "cpu"))
    manifests = render(values)
    pod = one(manifests, "Pod")["spec"]
    assert {"name": "MODEL_REPOSITORY", "value": "/models/cpu"} in pod["containers"][0]["env"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    assert pod["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert errors(manifests) == []


@pytest.mark.parametrize("values", [URL, with_values(CLAIM, at("test.samples", False))], ids=["bucket", "turned off"])
def test_helm_test_asks_with_a_generated_row_otherwise(values: dict) -> None:
    pod = one(render(values), "Pod")["spec"]
    assert [one["name"] for one in pod["containers"][0]["env"]] == ["HOME"]
    assert [one["name"] for one in pod["volumes"]] == ["scripts", "tmp"]


def test_helm_test_can_be_left_out() -> None:
    assert "Pod" not in kinds(render(with_values(URL, at("test.enabled", False))))
