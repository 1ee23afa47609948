"""The whole system as one release: Triton, whose repository the real builder makes, and Locust."""

import json
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from answers import ask, close, local_output
from choices import QUICK_DRAIN, SMALL, Values, merged
from cluster import CommandFailed, Object, apply, forwarded, get, is_ready, items, name_of, run, wait_until
from counters import answered
from jobs import run_job
from release import ROOT, Release
from umbrella import assemble

MODEL = "onnx_fp32"
# The published load in small: there 3000 users of 10 requests per second at most, and 10 workers.
USERS, USER_RATE_PER_S = 4, 5


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
        "load": {"userRatePerS": USER_RATE_PER_S},
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


def test_workers_send_the_load_that_the_web_ui_is_asked_for_and_none_of_it_fails(release: Release) -> None:
    config = get(release.namespace, "configmap", f"{release.name}-locust")["data"]
    target = (config["SLO_TUNER_MODEL"], config["SLO_TUNER_ADDRESS"])
    assert target == (MODEL, f"{release.name}-triton:8001")
    before = sum(answered(release, MODEL).values())
    with forwarded(release.namespace, f"{release.name}-locust", 8089) as url:
        assert "<title>Locust" in _page(url)
        _page(f"{url}/swarm", {"user_count": USERS, "spawn_rate": USERS})
        statistics = wait_until("the users have sent requests", lambda: _statistics(url, at_least=60), 60)
        _page(f"{url}/stop", {})
    (of_model,) = (row for row in statistics["stats"] if row["name"] != "Aggregated")
    assert (of_model["name"], of_model["method"], of_model["num_failures"]) == (MODEL, "grpc", 0)
    assert of_model["current_rps"] <= 1.2 * USERS * USER_RATE_PER_S
    assert len(statistics["workers"]) == 2
    assert sum(answered(release, MODEL).values()) >= before + of_model["num_requests"]


def _page(url: str, form: dict[str, int] | None = None) -> str:
    """A page of the web UI; a form is posted, as a browser would."""
    data = None if form is None else urlencode(form).encode()
    with urlopen(url, data, timeout=10) as answer:
        return str(answer.read().decode())


def _statistics(url: str, at_least: int) -> Object:
    """Locust's statistics, empty while there are fewer requests."""
    found: Object = json.loads(_page(f"{url}/stats/requests"))
    return found if sum(row["num_requests"] for row in found["stats"][:-1]) >= at_least else {}


def test_a_job_measures_and_its_configmap_becomes_a_report(release: Release, tmp_path: Path) -> None:
    target = {"address": f"{release.name}-triton:8001", "model": MODEL}
    job = {"extraArgs": ["--rate=10", "--effort=smoke"]}
    files = run_job(release.namespace, "measuring", job, 120, target=target, objective="p95<=1s")
    results = tmp_path / "results.json"
    results.write_text(files["results.json"])
    (model,) = json.loads(results.read_text())["models"]
    assert (model["model"], model["rate_per_s"]) == (MODEL, 10.0)
    run([sys.executable, "-m", "slo_tuner", "report", str(results)])
    assert f"{MODEL} keeps p95" in (tmp_path / "report.html").read_text()


def test_namespace_refuses_what_pod_security_restricted_forbids(release: Release) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "privileged"}}
    container = {"name": "main", "image": "none", "securityContext": {"privileged": True}}
    with pytest.raises(CommandFailed, match='violates PodSecurity "restricted:latest"'):
        apply(release.namespace, pod | {"spec": {"containers": [container]}})
