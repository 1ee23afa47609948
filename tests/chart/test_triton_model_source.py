"""Where Triton reads the model repository from."""

from typing import Any

import pytest
from cases import PLAN, URL, at, with_values
from render import kinds, one, render

BUILDER = {"modelRepository": {"source": "builder", "builder": {"plan": PLAN}}}


def pod(values: dict[str, Any]) -> dict[str, Any]:
    return one(render(values), "Deployment")["spec"]["template"]["spec"]


def repository(spec: dict[str, Any]) -> str:
    return spec["containers"][0]["args"][0].removeprefix("--model-repository=")


def models(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The volume with the repository, and the server's mount of it."""
    volume = next(volume for volume in spec["volumes"] if volume["name"] == "models")
    return volume, next(mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "models")


@pytest.mark.parametrize("url", ["gs://bucket/models", "s3://bucket/models"])
def test_triton_reads_a_bucket_itself_without_credentials_of_its_own(url: str) -> None:
    spec = pod(at("modelRepository", {"source": "url", "url": url}))
    assert repository(spec) == url
    assert {volume["name"] for volume in spec["volumes"]} == {"scripts", "shm", "tmp"}
    assert [variable["name"] for variable in spec["containers"][0]["env"]] == ["HOME"]


def test_gs_bucket_can_be_read_with_a_key_from_a_secret() -> None:
    spec = pod(with_values(URL, at("modelRepository.credentials", {"secretName": "bucket", "key": "triton.json"})))
    volume = next(volume for volume in spec["volumes"] if volume["name"] == "bucket-credentials")
    assert volume["secret"] == {"secretName": "bucket", "items": [{"key": "triton.json", "path": "key.json"}]}
    variable = {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/var/run/secrets/bucket/key.json"}
    assert variable in spec["containers"][0]["env"]
    mount = next(mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "bucket-credentials")
    assert mount["readOnly"] is True


def test_s3_bucket_can_be_read_with_a_key_from_a_secret() -> None:
    source = {"source": "url", "url": "s3://bucket/m", "credentials": {"secretName": "keys"}}
    env = {item["name"]: item.get("valueFrom") for item in pod(at("modelRepository", source))["containers"][0]["env"]}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert env[name] == {"secretKeyRef": {"name": "keys", "key": name}}


def test_temporary_keys_bring_their_session_token_and_region() -> None:
    source = {"source": "url", "url": "s3://bucket/m", "credentials": {"secretName": "keys"}}
    env = {item["name"]: item.get("valueFrom") for item in pod(at("modelRepository", source))["containers"][0]["env"]}
    for name in ("AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        assert env[name] == {"secretKeyRef": {"name": "keys", "key": name, "optional": True}}


def test_azure_is_read_with_the_account_and_key_of_a_secret() -> None:
    source = {"source": "url", "url": "as://account/models/tiny", "credentials": {"secretName": "keys"}}
    spec = pod(at("modelRepository", source))
    assert repository(spec) == "as://account/models/tiny"
    env = {item["name"]: item.get("valueFrom") for item in spec["containers"][0]["env"]}
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"):
        assert env[name] == {"secretKeyRef": {"name": "keys", "key": name}}


@pytest.mark.parametrize(
    ("values", "source"),
    [
        (
            {"source": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}},
            {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ),
        (
            {"source": "image", "image": {"reference": "localhost/models:1", "pullPolicy": "Always"}},
            {"image": {"reference": "localhost/models:1", "pullPolicy": "Always"}},
        ),
        (
            {"source": "hostPath", "hostPath": {"path": "/srv/models"}},
            {"hostPath": {"path": "/srv/models", "type": "Directory"}},
        ),
    ],
)
def test_volume_is_mounted_read_only(values: dict[str, Any], source: dict[str, Any]) -> None:
    spec = pod({"modelRepository": values})
    volume, mount = models(spec)
    assert volume == {"name": "models", **source}
    assert mount == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert repository(spec) == "/models"
    assert "initContainers" not in spec


def test_repository_may_lie_deeper_in_the_volume() -> None:
    values = {"source": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "a"}, "path": "team/models"}
    assert repository(pod({"modelRepository": values})) == "/models/team/models"


def test_alias_is_read_from_the_first_model_and_loaded_with_it() -> None:
    chosen = at("modelRepository", {"models": ["onnx_int8", "original"], "alias": "resnet50"})
    args = pod(with_values(URL, chosen))["containers"][0]["args"]
    assert args[:2] == [
        "--model-repository=gs://bucket/models",
        "--model-repository=gs://bucket/models/onnx_int8/1/alias",
    ]
    loaded = [arg.removeprefix("--load-model=") for arg in args if arg.startswith("--load-model=")]
    assert loaded == ["onnx_int8", "original", "resnet50"]


def test_alias_is_asked_by_the_test_of_the_release() -> None:
    test = one(render(with_values(URL, at("modelRepository.alias", "resnet50"))), "Pod", "-test")
    assert test["spec"]["containers"][0]["command"][-2:] == ["original", "resnet50"]


def test_without_an_alias_there_is_one_repository() -> None:
    args = pod(URL)["containers"][0]["args"]
    assert [arg for arg in args if arg.startswith("--model-repository")] == ["--model-repository=gs://bucket/models"]


def test_builder_builds_the_plan_before_the_server_starts() -> None:
    manifests = render(BUILDER)
    spec = one(manifests, "Deployment")["spec"]["template"]["spec"]
    builder = spec["initContainers"][0]
    assert builder["image"] == "model-builder:0.1.0"
    assert builder["command"] == ["model-repo-builder", "build", "/plan/plan.yaml", "--output", "/models"]
    assert one(manifests, "ConfigMap", "-plan")["data"]["plan.yaml"].strip() == PLAN.strip()
    assert models(spec)[0]["emptyDir"] == {"sizeLimit": "20Gi"}
    assert models(spec)[1]["readOnly"] is True


def test_only_the_builder_needs_a_plan() -> None:
    assert kinds(render(URL)).count("ConfigMap") == 1


def test_changed_plan_restarts_the_pods() -> None:
    def checksum(plan: str) -> str:
        values = with_values(BUILDER, at("modelRepository.builder.plan", plan))
        return one(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/plan"]

    assert checksum(PLAN) != checksum(PLAN + "# changed")


@pytest.mark.parametrize(("use_gpu", "expected"), [(True, 1), (False, None)])
def test_builder_gets_the_gpu_only_where_asked(use_gpu: bool, expected: int | None) -> None:
    spec = pod(with_values(BUILDER, at("modelRepository.builder.useGpu", use_gpu)))
    assert spec["initContainers"][0]["resources"]["limits"].get("nvidia.com/gpu") == expected


def test_builder_takes_image_arguments_resources_and_size() -> None:
    builder = {
        "image": {"registry": "localhost:5000", "tag": "9", "pullPolicy": "Never"},
        "extraArgs": ["--verbose"],
        "resources": {"requests": {"cpu": "3"}},
        "sizeLimit": "1Gi",
    }
    spec = pod(with_values(BUILDER, at("modelRepository.builder", builder)))
    container = spec["initContainers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("localhost:5000/model-builder:9", "Never")
    assert container["args"] == ["--verbose"]
    assert container["resources"]["requests"]["cpu"] == "3"
    assert models(spec)[0]["emptyDir"]["sizeLimit"] == "1Gi"
