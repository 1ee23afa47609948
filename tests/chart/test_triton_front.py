"""TensorFlow Serving's REST API beside Triton: it starts and stops in the right order, and is reached like Triton."""

from typing import Any

from cases import EVERYTHING, URL, at, with_values
from render import one, render

FRONT = with_values(URL, at("tfservingFront.enabled", True))


def pod(*values: dict[str, Any]) -> dict[str, Any]:
    return one(render(with_values(FRONT, *values)), "Deployment")["spec"]["template"]["spec"]


def front(*values: dict[str, Any]) -> dict[str, Any]:
    return pod(*values)["initContainers"][-1]


def test_there_is_no_front_unless_it_is_wanted() -> None:
    assert "initContainers" not in one(render(URL), "Deployment")["spec"]["template"]["spec"]


def test_the_front_outlives_triton_s_drain_and_runs_beside_it() -> None:
    """An init container that is always restarted is a sidecar: Kubernetes stops it when Triton has stopped."""
    assert (front()["name"], front()["restartPolicy"]) == ("tfserving-front", "Always")
    assert [container["name"] for container in pod()["containers"]] == ["triton"]


def test_the_front_starts_without_triton_which_starts_after_it() -> None:
    assert front()["startupProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_the_front_is_ready_when_triton_is_and_restarted_only_for_its_own_fault() -> None:
    assert front()["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": "tfserving"}
    assert front()["livenessProbe"]["httpGet"] == {"path": "/v2/health/live", "port": "tfserving"}


def test_models_are_built_before_the_front_starts() -> None:
    containers = one(render(EVERYTHING), "Deployment")["spec"]["template"]["spec"]["initContainers"]
    assert [container["name"] for container in containers] == ["model-builder", "tfserving-front"]


def test_the_front_has_triton_s_security() -> None:
    assert front()["securityContext"] == pod()["containers"][0]["securityContext"]


def test_limits_become_arguments() -> None:
    values = at(
        "tfservingFront", {"timeoutSeconds": 5, "maxRequestMegabytes": 7, "maxAnswerMegabytes": 8, "maxInFlight": 9}
    )
    assert front(values)["args"] == [
        "--triton=localhost:8001",
        "--port=8888",
        "--timeout-s=5",
        "--max-request-megabytes=7",
        "--max-answer-megabytes=8",
        "--max-in-flight=9",
    ]


def test_resources_come_from_the_values() -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}
    assert front(at("tfservingFront.resources", resources))["resources"]["limits"] == {"memory": "2Gi"}


def test_services_offer_the_port() -> None:
    manifests = render(with_values(FRONT, at("tfservingFront.port", 80)))
    for suffix, port in (("demo-triton", 80), ("-headless", 8888)):
        last = one(manifests, "Service", suffix)["spec"]["ports"][-1]
        assert last == {"name": "tfserving", "port": port, "targetPort": "tfserving", "appProtocol": "http"}


def test_triton_s_clients_may_reach_the_front() -> None:
    clients = one(render(FRONT), "NetworkPolicy")["spec"]["ingress"][0]
    assert [port["port"] for port in clients["ports"]] == [8000, 8001, 8888]


def test_routes_send_its_paths_to_the_front() -> None:
    manifests = render(EVERYTHING)
    rule = one(manifests, "HTTPRoute", "-http")["spec"]["rules"][-1]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v1/models"}}]
    assert rule["backendRefs"] == [{"name": "demo-triton", "port": 8888}]
    backend = {"service": {"name": "demo-triton", "port": {"name": "tfserving"}}}
    for protocol, to_front in (("http", ["/v1/models"]), ("grpc", [])):
        paths = one(manifests, "Ingress", f"-{protocol}")["spec"]["rules"][0]["http"]["paths"]
        assert [path["path"] for path in paths if path["backend"] == backend] == to_front
