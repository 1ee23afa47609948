"""Triton's container: image, arguments, GPU, memory, and how it starts and stops."""

from typing import Any

import pytest
from cases import DELIVERED, EVERYTHING, URL, at, with_values
from render import one, render
from validation import errors


def container(*values: dict[str, Any]) -> dict[str, Any]:
    return pod(*values)["containers"][0]


def pod(*values: dict[str, Any]) -> dict[str, Any]:
    return one(render(with_values(URL, *values)), "Deployment")["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "nvcr.io/nvidia/tritonserver:25.02-py3"),
        ({"registry": "", "repository": "triton-cpu", "tag": ""}, "triton-cpu:0.1.0"),
        ({"registry": "localhost:5000/team", "tag": "7"}, "localhost:5000/team/tritonserver:7"),
        ({"digest": "sha256:" + "a" * 64}, "nvcr.io/nvidia/tritonserver@sha256:" + "a" * 64),
    ],
)
def test_image_is_named_by_tag_or_digest(image: dict[str, Any], expected: str) -> None:
    assert container({"image": image})["image"] == expected


def test_only_the_chosen_models_are_loaded() -> None:
    args = container(at("modelRepository.models", ["tftrt_int8", "tftrt_fp16"]))["args"]
    assert "--model-control-mode=explicit" in args
    assert [arg for arg in args if "load-model" in arg] == ["--load-model=tftrt_int8", "--load-model=tftrt_fp16"]


@pytest.mark.parametrize(
    ("path", "value", "argument"),
    [
        ("server.exitTimeoutSeconds", 7, "--exit-timeout-secs=7"),
        ("server.strictReadiness", False, "--strict-readiness=false"),
        ("server.logFormat", "default", "--log-format=default"),
        ("server.logVerbose", 2, "--log-verbose=2"),
        ("server.grpcMaxConnectionAgeSeconds", 20, "--grpc-max-connection-age=20000"),
        ("server.grpcMaxConnectionAgeGraceSeconds", 9, "--grpc-max-connection-age-grace=9000"),
        ("server.rateLimit.mode", "execution_count", "--rate-limit=execution_count"),
        ("server.extraArgs", ["--pinned-memory-pool-byte-size=1"], "--pinned-memory-pool-byte-size=1"),
    ],
)
def test_value_becomes_an_argument(path: str, value: Any, argument: str) -> None:
    assert argument in container(at(path, value))["args"]


def test_rate_limit_resources_become_arguments() -> None:
    limit = {"mode": "execution_count", "resources": ["R1:4", "R2:8:0"]}
    args = container(at("server.rateLimit", limit))["args"]
    assert {"--rate-limit-resource=R1:4", "--rate-limit-resource=R2:8:0"} <= set(args)


def test_connections_without_an_age_are_kept() -> None:
    assert not any("connection-age" in arg for arg in container(at("server.grpcMaxConnectionAgeSeconds", 0))["args"])


def test_command_can_be_replaced() -> None:
    assert container(at("server.command", ["/opt/tritonserver/bin/tritonserver"]))["command"] == [
        "/opt/tritonserver/bin/tritonserver"
    ]


def test_ports_of_http_grpc_and_metrics_have_names() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"http": 8000, "grpc": 8001, "metrics": 8002}


def test_environment_variables_are_added() -> None:
    assert {"name": "A", "value": "1"} in container(at("server.extraEnv", [{"name": "A", "value": "1"}]))["env"]


@pytest.mark.parametrize(("count", "limits"), [(1, {"nvidia.com/gpu": 1}), (4, {"nvidia.com/gpu": 4}), (0, {})])
def test_gpus_are_added_to_the_limits(count: int, limits: dict[str, int]) -> None:
    assert container(at("gpu.count", count))["resources"]["limits"] == {"memory": "12Gi", **limits}


def test_gpu_resource_can_have_another_name() -> None:
    name = "nvidia.com/mig-1g.5gb"
    assert container(at("gpu.resourceName", name))["resources"]["limits"][name] == 1


def test_cpu_and_memory_come_from_the_values() -> None:
    resources = {"requests": {"cpu": "7"}, "limits": {"memory": "9Gi"}}
    assert container({"gpu": {"count": 0}, "resources": resources})["resources"]["requests"]["cpu"] == "7"


def test_shared_memory_and_temporary_storage_are_bounded() -> None:
    spec = pod({"server": {"sharedMemory": "2Gi", "temporaryStorage": "3Gi"}})
    volumes = {volume["name"]: volume.get("emptyDir") for volume in spec["volumes"]}
    assert volumes["shm"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert volumes["tmp"] == {"sizeLimit": "3Gi"}
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert (mounts["shm"], mounts["tmp"]) == ("/dev/shm", "/tmp")


def test_start_may_take_as_long_as_the_value_says() -> None:
    probe = container(at("probes.startupTimeoutSeconds", 601))["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] >= 601
    assert probe["httpGet"]["path"] == "/v2/health/ready"


def test_readiness_turns_false_before_the_server_is_restarted() -> None:
    probes = container()
    ready, live = probes["readinessProbe"], probes["livenessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < live["periodSeconds"] * live["failureThreshold"]
    assert (ready["httpGet"]["path"], live["httpGet"]["path"]) == ("/v2/health/ready", "/v2/health/live")


@pytest.mark.parametrize(
    ("key", "probe", "field"),
    [
        ("readinessPeriodSeconds", "readinessProbe", "periodSeconds"),
        ("readinessFailureThreshold", "readinessProbe", "failureThreshold"),
        ("livenessPeriodSeconds", "livenessProbe", "periodSeconds"),
        ("livenessFailureThreshold", "livenessProbe", "failureThreshold"),
        ("timeoutSeconds", "livenessProbe", "timeoutSeconds"),
    ],
)
def test_probe_takes_its_value(key: str, probe: str, field: str) -> None:
    value = 7 if "liveness" in key else 3
    assert container(at(f"probes.{key}", value))[probe][field] == value


def test_stopping_pod_drains_before_it_gets_the_signal() -> None:
    values = {"lifecycle": {"endpointPropagationSeconds": 5, "quietSeconds": 4, "drainDeadlineSeconds": 77}}
    command = container(values, at("server.grpcMaxConnectionAgeSeconds", 20))["lifecycle"]["preStop"]["exec"]["command"]
    # minimum: 5 s for endpoints, 20 s and 10 % for connections
    assert command == ["bash", "/etc/triton/drain.sh", "8002", "27", "4", "77"]


def test_grace_period_covers_drain_and_exit() -> None:
    spec = pod({"lifecycle": {"drainDeadlineSeconds": 100}, "server": {"exitTimeoutSeconds": 50}})
    assert spec["terminationGracePeriodSeconds"] == 160


def test_grace_period_can_be_longer() -> None:
    assert pod(at("lifecycle.terminationGracePeriodSeconds", 900))["terminationGracePeriodSeconds"] == 900


def test_grpc_is_behind_tls_by_a_secret_and_probes_stay_on_http() -> None:
    manifests = render(with_values(URL, {"server": {"tls": {"secretName": "pair", "clientCaSecret": "clients"}}}))
    spec = one(manifests, "Deployment")["spec"]["template"]["spec"]
    server = spec["containers"][0]
    assert [
        argument for argument in server["args"] if "ssl" in argument or "-cert" in argument or "-key" in argument
    ] == [
        "--grpc-use-ssl=true",
        "--grpc-server-cert=/etc/triton-tls/tls.crt",
        "--grpc-server-key=/etc/triton-tls/tls.key",
        "--grpc-use-ssl-mutual=true",
        "--grpc-root-cert=/etc/triton-client-ca/ca.crt",
    ]
    mounts = {mount["name"]: mount["mountPath"] for mount in server["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert secrets == {"tls": "pair", "client-ca": "clients"}
    assert (mounts["tls"], mounts["client-ca"]) == ("/etc/triton-tls", "/etc/triton-client-ca")
    assert server["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": "http"}
    services = [manifest for manifest in manifests if manifest["kind"] == "Service"]
    ports = [port for service in services for port in service["spec"]["ports"] if port["name"] == "grpc"]
    assert {port["appProtocol"] for port in ports} == {"https"}
    assert one(manifests, "Pod", "-test")["spec"]["containers"][0]["command"][3] == ""


def test_without_a_secret_grpc_is_plain() -> None:
    assert not [argument for argument in container()["args"] if "ssl" in argument]


@pytest.mark.parametrize("name", ["yes", "no", "null", "on", "true"])
def test_a_name_that_yaml_reads_as_something_else_stays_a_name(name: str) -> None:
    values = {"fullnameOverride": name, "nameOverride": name}
    for start in (EVERYTHING, DELIVERED):
        assert errors(render(with_values(start, values))) == []
