"""Each file of values/, and useful combinations: valid on every Kubernetes, within Pod Security "restricted"."""

from typing import Any

import pytest
import yaml
from cases import DELIVERED, EVERYTHING, URL, with_values
from render import ROOT, one, render
from validation import KUBERNETES_VERSIONS, errors, restricted_violations

BUCKET = {"modelRepository": {"url": "gs://bucket/models"}}


def plan(name: str) -> dict[str, Any]:
    return {"modelRepository": {"builder": {"plan": (ROOT / "plans" / f"{name}.yaml").read_text(encoding="utf-8")}}}


PLAN = plan("resnet50-cpu")
HOSTS = {"gateway": {"http": {"hostnames": ["a.example.com"]}, "grpc": {"hostnames": ["a.example.com"]}}}
GPU_VARIANTS = ["original", "tftrt_fp32", "tftrt_fp16", "tftrt_int8", "tftrt_int8_bs16_count4", "tftrt_int8_tuned"]
GPU_VARIANTS += ["tensorrt_fp16", "tensorrt_int8"]
CPU_VARIANTS = ["original", "onnx_fp32", "onnx_int8", "onnx_int8_tuned"]

CASES: list[tuple[list[str], dict[str, Any]]] = [
    ([], URL),
    ([], EVERYTHING),
    ([], with_values(EVERYTHING, {"scaling": {"mode": "hpa"}})),
    *(([variant], URL) for variant in sorted({*GPU_VARIANTS, *CPU_VARIANTS})),
    *((["gke-t4", variant], BUCKET) for variant in GPU_VARIANTS),
    *((["cpu", variant], PLAN) for variant in CPU_VARIANTS),
    (["gke-t4", "tftrt_int8_bs16_count4", "autoscale-keda"], BUCKET),
    (["gke-t4", "tftrt_int8", "gateway-gke"], with_values(BUCKET, HOSTS)),
    (["gke-t4", "tftrt_int8_bs16_count4", "autoscale-keda", "gateway-gke"], with_values(BUCKET, HOSTS)),
    (["gke-t4", "original", "autoscale-gpu"], BUCKET),
    (["gke-t4", "original", "gateway-gke", "gateway-gke-regions"], with_values(BUCKET, HOSTS)),
    (["gke-t4", "original", "gateway-gke", "gateway-gke-region"], with_values(BUCKET, HOSTS)),
    (["cpu", "onnx_int8_tuned", "autoscale-keda"], PLAN),
    (["gke-t4", "tftrt_int8", "tfserving-front"], BUCKET),
    (["cpu", "onnx_int8", "tfserving-front"], PLAN),
    (["cpu", "tiers"], plan("resnet50-tiers-cpu")),
    (["gke-t4", "tftrt_int8", "gke-spot"], BUCKET),
    (["gke-t4", "surge", "tftrt_int8"], BUCKET),
    ([], DELIVERED),
    (["pools"], {"pools": {"t4": BUCKET, "cpu": PLAN}}),
]
EACH_CASE = pytest.mark.parametrize(("files", "values"), CASES, ids=lambda part: "+".join(part))


@EACH_CASE
@pytest.mark.parametrize("kube_version", KUBERNETES_VERSIONS)
def test_manifests_are_valid(files: list[str], values: dict[str, Any], kube_version: str) -> None:
    # One rendering serves all versions: no template depends on the version.
    assert errors(render(values, files=files), kube_version) == []


@EACH_CASE
def test_every_pod_keeps_pod_security_restricted(files: list[str], values: dict[str, Any]) -> None:
    assert restricted_violations(render(values, files=files)) == []


def test_pod_security_check_sees_a_host_path() -> None:
    values = {"modelRepository": {"source": "hostPath", "hostPath": {"path": "/srv"}}}
    found = restricted_violations(render(values))
    assert found == [
        f"{where}: volume models is a hostPath" for where in ("Deployment/demo-triton", "Pod/demo-triton-test")
    ]


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS[1:])
def test_image_volume_is_valid_from_kubernetes_1_31(version: str) -> None:
    manifests = render({"modelRepository": {"source": "image", "image": {"reference": "models:1"}}})
    assert errors(manifests, version) == []
    assert restricted_violations(manifests) == []


@pytest.mark.parametrize("variant", sorted({*GPU_VARIANTS, *CPU_VARIANTS}))
def test_variant_file_names_its_variant_and_nothing_else(variant: str) -> None:
    """What a variant is (batch, instances, precision) stands in the plan alone."""
    content = yaml.safe_load((ROOT / "values" / f"{variant}.yaml").read_text(encoding="utf-8"))
    assert content == {"modelRepository": {"models": [variant]}}


def test_variant_combines_with_a_cluster() -> None:
    spec = one(render(BUCKET, files=["gke-t4", "tftrt_int8"]), "Deployment")["spec"]["template"]["spec"]
    assert "--load-model=tftrt_int8" in spec["containers"][0]["args"]
    assert spec["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}


def test_cpu_values_ask_for_no_gpu() -> None:
    container = one(render(PLAN, files=["cpu"]), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "triton-cpu:0.1.0"
    assert not any("gpu" in name for name in container["resources"]["limits"])


def test_t4_nodes_without_a_spare_are_replaced() -> None:
    spec = one(render(BUCKET, files=["gke-t4"]), "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "10%"}
    assert spec["replicas"] == 2
