"""The whole system as one release: Triton, whose repository the real builder makes, and Locust."""

import json
from pathlib import Path

import pytest
import yaml
from answers import ask, close, local_output
from choices import QUICK_DRAIN, SMALL, Values, merged
from cluster import CommandFailed, Object, apply, is_ready, items, kubectl, name_of, wait_until
from release import ROOT, Release
from umbrella import assemble

MODEL = "onnx_fp32"


def _values(name: str) -> Values:
    return dict(yaml.safe_load((ROOT / "values" / f"{name}.yaml").read_text()))


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The umbrella without kube-prometheus-stack: the cluster has its operator."""
    little = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    builder = {
        "plan": (ROOT / "plans/tiny.yaml").read_text(),
        "extraArgs": ["--only", MODEL],
        "resources": {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
    }
    triton = merged(_values("cpu"), _values(MODEL), SMALL, QUICK_DRAIN, {"modelRepository": {"builder": builder}})
    locust = {
        "target": {"model": MODEL},
        "load": {"users": 2, "spawnRate": 2, "userRatePerS": 5},
        "master": {"resources": little},
        "workers": {"replicas": 2, "resources": little},
    }
    installed = Release(namespace, assemble(tmp_path_factory.mktemp("umbrella")), name="demo")
    installed.install({"components": {"monitoring": False}, "triton": triton, "locust": locust})
    return installed


def test_every_pod_becomes_ready(release: Release) -> None:
    pods = items(release.namespace, "pods", f"app.kubernetes.io/instance={release.name}")
    assert len(pods) == 4, "one server, one master, two workers"
    assert [name_of(pod) for pod in pods if not is_ready(pod)] == []


def test_helm_test_passes(release: Release) -> None:
    report = release.test()
    assert f"model {MODEL}: versions ['1'], HTTP and gRPC agree" in report


def test_answers_are_those_of_the_model_run_locally(
    release: Release, images: dict[str, str], builder_python: str, models: Path
) -> None:
    found = ask(release.namespace, images["locust"], f"{release.name}-triton", MODEL)
    expected = local_output(builder_python, models, MODEL)
    assert close(found["http"]["output"], expected)
    assert close(found["grpc"]["output"], expected)


def test_web_ui_of_locust_answers(release: Release) -> None:
    service = f"/api/v1/namespaces/{release.namespace}/services/{release.name}-locust:web/proxy/"
    assert "<title>Locust" in kubectl("get", "--raw", service)


def test_a_job_measures_and_keeps_its_results_in_a_configmap(release: Release, images: dict[str, str]) -> None:
    job = {
        "enabled": True,
        "extraArgs": ["--rate=10", "--effort=smoke"],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }
    target = {"address": f"{release.name}-triton:8001", "model": MODEL}
    measuring = Release(release.namespace, ROOT / "charts" / "locust", name="measuring")
    values = {"swarm": {"enabled": False}, "job": job, "target": target, "objective": "p95<=1s"}
    measuring.install(values, wait=False)

    def kept() -> list[Object]:
        maps = items(release.namespace, "configmaps")
        return [found for found in maps if name_of(found) == "measuring-locust-results"]

    (found,) = wait_until("the Job has kept its results", kept, 120)
    (model,) = json.loads(found["data"]["results.json"])["models"]
    assert (model["model"], model["met"], model["rate_per_s"]) == (MODEL, True, 10.0)


def test_namespace_refuses_what_pod_security_restricted_forbids(release: Release) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "privileged"}}
    container = {"name": "main", "image": "none", "securityContext": {"privileged": True}}
    with pytest.raises(CommandFailed, match='violates PodSecurity "restricted:latest"'):
        apply(release.namespace, pod | {"spec": {"containers": [container]}})
