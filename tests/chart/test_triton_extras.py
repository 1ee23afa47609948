"""What a user adds to the Pods and to the release: volumes, containers, environment, name resolution, objects."""

from typing import Any

import pytest
from cases import EVERYTHING, PLAN, URL, at, with_values
from render import one, render
from validation import errors, pod_spec, restricted_violations

SIDE = {"name": "side", "image": "side:1"}
VOLUME = {"name": "extra", "emptyDir": {}}
MOUNT = {"name": "extra", "mountPath": "/extra", "readOnly": True}
SECRET = {"secretRef": {"name": "tokens"}}


def pod(*values: dict[str, Any]) -> dict[str, Any]:
    manifests = render(with_values(URL, *values))
    assert errors(manifests) == []
    return one(manifests, "Deployment")["spec"]["template"]["spec"]


def test_a_volume_is_mounted_where_the_server_and_the_builder_want_it() -> None:
    builder = {"plan": PLAN, "extraVolumeMounts": [MOUNT]}
    values = {
        "modelRepository": {"url": "", "source": "builder", "builder": builder},
        "pod": {"extraVolumes": [VOLUME]},
    }
    spec = pod(values, at("server.extraVolumeMounts", [MOUNT]))
    assert VOLUME in spec["volumes"]
    for container in (spec["containers"][0], spec["initContainers"][0]):
        assert MOUNT in container["volumeMounts"]


def test_further_containers_get_the_chart_s_security_unless_they_have_their_own() -> None:
    own = {**SIDE, "name": "own", "securityContext": {"runAsUser": 65532}}
    containers = pod(at("pod.extraContainers", [SIDE, own]))["containers"]
    assert [container["name"] for container in containers] == ["triton", "side", "own"]
    assert containers[1]["securityContext"] == containers[0]["securityContext"]
    assert containers[2]["securityContext"] == {"runAsUser": 65532}


def test_a_release_with_further_containers_keeps_pod_security_restricted() -> None:
    extras = {"extraContainers": [SIDE], "extraInitContainers": [{**SIDE, "name": "first"}], "extraVolumes": [VOLUME]}
    assert restricted_violations(render(with_values(EVERYTHING, {"pod": extras}))) == []


def test_further_init_containers_run_before_the_builder() -> None:
    values = with_values(EVERYTHING, at("pod.extraInitContainers", [SIDE]))
    containers = one(render(values), "Deployment")["spec"]["template"]["spec"]["initContainers"]
    assert [container["name"] for container in containers] == ["side", "model-builder", "tfserving-front"]


def test_the_builder_gets_tokens_and_proxies() -> None:
    proxy = {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
    builder = {"plan": PLAN, "extraEnv": [proxy], "extraEnvFrom": [SECRET]}
    container = pod({"modelRepository": {"url": "", "source": "builder", "builder": builder}})["initContainers"][0]
    assert proxy in container["env"]
    assert container["envFrom"] == [SECRET]


def test_the_server_gets_variables_from_secrets() -> None:
    assert pod(at("server.extraEnvFrom", [SECRET]))["containers"][0]["envFrom"] == [SECRET]


def test_names_are_resolved_as_the_values_say() -> None:
    config = {"nameservers": ["10.0.0.10"], "options": [{"name": "ndots", "value": "2"}]}
    aliases = [{"ip": "10.0.0.11", "hostnames": ["bucket.example.com"]}]
    spec = pod({"pod": {"dnsPolicy": "None", "dnsConfig": config, "hostAliases": aliases}})
    assert (spec["dnsPolicy"], spec["dnsConfig"], spec["hostAliases"]) == ("None", config, aliases)


def test_further_objects_belong_to_the_release_and_are_templates() -> None:
    given = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ .Release.Name }}-own"},
        "data": {"a": "b"},
    }
    assert one(render(with_values(URL, at("extraObjects", [given]))), "ConfigMap", "demo-own")["data"] == {"a": "b"}


@pytest.mark.parametrize("chart", ["triton", "locust"])
def test_every_container_that_ends_with_an_error_says_why_in_its_status(chart: str) -> None:
    jobs = {"target": {"address": "triton:8001"}, "job": {"enabled": True, "workers": 2}}
    values = with_values(EVERYTHING, at("pod.extraContainers", [SIDE])) if chart == "triton" else jobs
    for spec in filter(None, map(pod_spec, render(values, chart=chart))):
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", container["name"]


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("nvcr.io/nvidia", "mirror.example.com/nvidia/tritonserver:1"),
        ("localhost:5000", "mirror.example.com/tritonserver:1"),
        ("team/images", "mirror.example.com/team/images/tritonserver:1"),
        ("", "mirror.example.com/tritonserver:1"),
    ],
)
def test_a_registry_for_all_images_takes_the_place_of_the_host_alone(registry: str, expected: str) -> None:
    values = {"global": {"imageRegistry": "mirror.example.com"}, "image": {"registry": registry, "tag": "1"}}
    assert pod(values)["containers"][0]["image"] == expected


@pytest.mark.parametrize("chart", ["triton", "locust"])
def test_a_registry_for_all_images_replaces_a_host_in_the_repository_too(chart: str) -> None:
    image = {"registry": "", "repository": "registry.example.com/team/server", "tag": "1"}
    start = URL if chart == "triton" else {"target": {"address": "triton:8001"}}
    values = with_values(start, {"global": {"imageRegistry": "mirror.example.com"}, "image": image})
    images = {one["image"] for spec in map(pod_spec, render(values, chart=chart)) if spec for one in spec["containers"]}
    assert "mirror.example.com/team/server:1" in images


@pytest.mark.parametrize("chart", ["triton", "locust"])
def test_every_image_comes_from_the_registry_for_all(chart: str) -> None:
    values = EVERYTHING if chart == "triton" else {"target": {"address": "triton:8001"}, "job": {"enabled": True}}
    manifests = render(with_values(values, {"global": {"imageRegistry": "mirror.example.com/all"}}), chart=chart)
    specs = list(filter(None, map(pod_spec, manifests)))
    images = {one["image"] for spec in specs for one in spec["containers"] + spec.get("initContainers", [])}
    assert images
    assert all(image.startswith("mirror.example.com/all/") for image in images)
