"""The umbrella: its parts find each other, its lock is Helm's, its names fit, its notes name what exists."""

import re
import subprocess
from pathlib import Path

import chart_lock
import pytest
import yaml
from cases import DELIVERED
from render import HelmRefused, Manifest, one, render, tools
from umbrella import CHARTS, REPOSITORY, assemble, dependency
from validation import errors, restricted_violations


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(tmp_path_factory.mktemp("umbrella"))


def merged(triton: dict | None = None, **others: dict) -> dict:
    return {"triton": {**REPOSITORY, **(triton or {})}, **others}


def parts(manifests: list[Manifest]) -> set[str]:
    labels = [item["metadata"].get("labels", {}) for item in manifests]
    names = {label["app.kubernetes.io/name"] for label in labels if "app.kubernetes.io/name" in label}
    stack = {"stack" for item in manifests if item["metadata"]["name"] == "stack-values"}
    return names - {"inference-system"} | stack


@pytest.fixture(scope="module")
def notes_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The umbrella with its notes in a ConfigMap: `helm template` shows none, and Helm 3 installs nothing offline."""
    chart = assemble(tmp_path_factory.mktemp("notes"))
    text = (chart / "templates/NOTES.txt").read_text()
    (chart / "templates/_notes.tpl").write_text('{{- define "notes" -}}\n' + text + "{{- end -}}\n")
    shown = '{{ dict "notes" (include "notes" .) | toJson }}'
    (chart / "templates/notes.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shown-notes}}\ndata: {shown}\n"
    )
    return chart


def notes(chart: Path, values: dict) -> str:
    return one(render(values, chart=chart), "ConfigMap", "shown-notes")["data"]["notes"]


def test_manifests_are_valid_and_pods_restricted(chart: Path) -> None:
    manifests = render(merged(locust={"job": {"enabled": True}}), chart=chart)
    assert errors(manifests) == []
    assert restricted_violations(manifests) == []


@pytest.mark.parametrize(
    "release", ["r", "triton", "inference-system", "a" * 53, "a" * 40 + "-triton-b", "a" * 40 + "-b", "my.release"]
)
def test_locust_sends_to_this_releases_triton_whatever_its_name(chart: Path, release: str) -> None:
    manifests = render(merged(), chart=chart, release=release)
    assert errors(manifests) == []
    address = next(
        item["data"]["SLO_TUNER_ADDRESS"] for item in manifests if "SLO_TUNER_ADDRESS" in item.get("data", {})
    )
    services = {item["metadata"]["name"]: item for item in manifests if item["kind"] == "Service"}
    host, _, port = address.partition(":")
    assert int(port) in [entry["port"] for entry in services[host]["spec"]["ports"]]
    assert services[host]["spec"]["selector"]["app.kubernetes.io/component"] == "server"


@pytest.mark.parametrize(
    ("components", "there"),
    [
        ({}, {"triton", "locust", "stack"}),
        ({"monitoring": False}, {"triton", "locust"}),
        ({"locust": False}, {"triton", "stack"}),
    ],
    ids=["all", "no monitoring", "no locust"],
)
def test_each_component_can_be_left_out(chart: Path, components: dict, there: set[str]) -> None:
    assert parts(render(merged(components=components), chart=chart)) == there


def test_locust_alone_measures_another_server(chart: Path) -> None:
    values = {"components": {"triton": False, "monitoring": False}, "locust": {"target": {"address": "other:8001"}}}
    assert parts(render(values, chart=chart)) == {"locust"}


def test_prometheus_selects_the_objects_of_triton(chart: Path) -> None:
    manifests = render(merged(), chart=chart)
    stack = yaml.safe_load(one(manifests, "ConfigMap", "stack-values")["data"]["values"])
    spec = stack["prometheus"]["prometheusSpec"]
    assert spec["podMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    assert {"PodMonitor", "PrometheusRule"} <= {item["kind"] for item in manifests}


def test_grafanas_sidecar_finds_the_dashboards_and_their_folder(chart: Path) -> None:
    manifests = render(merged(), chart=chart)
    stack = yaml.safe_load(one(manifests, "ConfigMap", "stack-values")["data"]["values"])
    sidecar = stack["grafana"]["sidecar"]["dashboards"]
    dashboards = [item for item in manifests if "-dash-" in item["metadata"]["name"]]
    assert len(dashboards) == 2
    for dashboard in dashboards:
        assert dashboard["metadata"]["labels"][sidecar["label"]] == sidecar["labelValue"]
        assert sidecar["folderAnnotation"] in dashboard["metadata"]["annotations"]


def test_prometheus_of_this_namespace_may_scrape_triton(chart: Path) -> None:
    manifests = render(merged(), chart=chart)
    policy = one(manifests, "NetworkPolicy", "-scrape")["spec"]
    pods = one(manifests, "Deployment", "demo-triton")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pods.items()
    open_without = render(merged({"networkPolicy": {"enabled": False}}), chart=chart)
    assert not [item for item in open_without if item["metadata"]["name"].endswith("-scrape")]


ELSEWHERE = {"target": {"address": "server:8001"}}


@pytest.mark.parametrize(
    "triton",
    [
        {"nameOverride": "n" * 60},
        {"fullnameOverride": "f" * 48},
        {"fullnameOverride": "f" * 48, "pools": {"large": {"modelRepository": {"models": ["original"]}}}},
        {
            "networkPolicy": {"enabled": False},
            "pools": {"a": {"modelRepository": {"models": ["original"]}, "networkPolicy": {"enabled": True}}},
        },
    ],
    ids=["name", "full name", "pool", "policy of a pool"],
)
def test_prometheus_reaches_servers_and_notes_name_them_whatever_they_are_called(
    notes_chart: Path, triton: dict
) -> None:
    values = merged(triton, locust=ELSEWHERE)
    manifests = render(values, chart=notes_chart)
    servers = [item for item in manifests if item["kind"] == "Deployment" and "locust" not in item["metadata"]["name"]]
    selected = one(manifests, "NetworkPolicy", "-scrape")["spec"]["podSelector"]["matchLabels"]
    assert servers
    assert all(selected.items() <= item["spec"]["template"]["metadata"]["labels"].items() for item in servers)
    named = set(re.findall(r"rollout status deployment/([a-z0-9-]+)", notes(notes_chart, values)))
    assert named == {item["metadata"]["name"] for item in servers}


KEDA = {"scaling": {"mode": "keda"}}
POOL = {"a": {"modelRepository": {"models": ["original"]}}}
RULES = [
    (merged(components={"triton": False, "locust": False}), "are both false"),
    (merged({"fullnameOverride": "x"}), "triton.nameOverride or fullnameOverride is given"),
    (merged({"service": {"grpcPort": 9001}}), "triton.service.grpcPort is 9001"),
    (
        merged({"server": {"tls": {"secretName": "pair"}}}),
        "so locust.target.address must be given as grpcs://HOST:PORT",
    ),
    (merged(locust={"target": {"protocol": "http"}}), "locust.target.protocol is http"),
    (merged({"pools": POOL}), "locust.target.address must name the Service of one of them as HOST:PORT: "),
    (
        merged({"pools": {"a": {**POOL["a"], "scaling": {"mode": "keda"}}}}, locust={"target": {"address": "a:1"}}),
        "triton.pools.a.scaling.keda.prometheusAddress is ",
    ),
    (merged(locust={"target": {"model": "tftrt_fp16"}}), "triton.modelRepository.models does not load: original"),
    (merged(components={"triton": False}), "components.triton is false"),
    (merged(KEDA), "this release's Prometheus is http://prometheus-operated.inference.svc:9090"),
]


@pytest.mark.parametrize(("values", "reason"), RULES, ids=[reason for _, reason in RULES])
def test_parts_that_do_not_fit_are_refused_with_the_reason(chart: Path, values: dict, reason: str) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(values, chart=chart)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("release", "triton", "reason", "mended"),
    [
        (
            "triton-locust",
            {},
            "triton and locust would both have an object called triton-locust: set triton.",
            "locust",
        ),
        (
            "triton",
            {"pools": {"locust-job": POOL["a"]}},
            "triton.pools.locust-job and locust would both have",
            "locust",
        ),
        ("demo", {"pools": {"scrape": POOL["a"]}}, "triton.pools.scrape and the policy of Prometheus would", "triton"),
    ],
)
def test_a_name_for_two_parts_is_refused(chart: Path, release: str, triton: dict, reason: str, mended: str) -> None:
    values = merged(triton, locust=ELSEWHERE)
    with pytest.raises(HelmRefused) as refused:
        render(values, chart=chart, release=release)
    assert reason in str(refused.value)
    named = {**values, mended: {**values[mended], "fullnameOverride": "named"}}
    assert errors(render(named, chart=chart, release=release)) == []


def test_a_change_is_judged_by_this_releases_prometheus(chart: Path) -> None:
    with pytest.raises(HelmRefused, match=r"triton\.delivery\.judgement\.prometheusAddress is http://prometheus-op"):
        render(merged(DELIVERED), chart=chart)
    address = {"judgement": {"prometheusAddress": "http://prometheus-operated.inference.svc:9090"}}
    delivered = {**DELIVERED, "delivery": {**DELIVERED["delivery"], **address}}
    assert one(render(merged(delivered, locust={"target": {"model": "tiny"}}), chart=chart), "Rollout")


SERVICE_MONITOR = {"monitoring": {"podMonitor": {"kind": "ServiceMonitor"}}}
RELEASED = {"monitoring": {"podMonitor": {"kind": "ServiceMonitor", "labels": {"release": "demo"}}}}
SELECTS_ALL = {"prometheus": {"prometheusSpec": {"serviceMonitorSelectorNilUsesHelmValues": False}}}


def test_a_service_monitor_that_prometheus_would_not_select_is_refused(chart: Path) -> None:
    with pytest.raises(HelmRefused, match=r"triton\.monitoring\.podMonitor\.kind is ServiceMonitor, so its"):
        render(merged(SERVICE_MONITOR), chart=chart)
    for values in (merged(RELEASED), merged(SERVICE_MONITOR, **{"kube-prometheus-stack": SELECTS_ALL})):
        assert one(render(values, chart=chart), "ServiceMonitor")


def test_presets_are_the_server_s_here_too(chart: Path) -> None:
    values = {"triton": {"presets": ["gke-t4", "onnx_fp32"], "modelRepository": {"url": "gs://bucket/models"}}}
    manifests = render({**values, "locust": {"target": {"model": "onnx_fp32"}}}, chart=chart)
    (server,) = one(manifests, "Deployment", "-triton")["spec"]["template"]["spec"]["containers"]
    assert "--load-model=onnx_fp32" in server["args"]


def test_keda_asks_this_releases_prometheus(chart: Path) -> None:
    keda = {"scaling": {"mode": "keda", "keda": {"prometheusAddress": "http://prometheus-operated.inference.svc:9090"}}}
    assert one(render(merged(keda), chart=chart), "ScaledObject")


def test_locust_may_ask_for_the_alias(chart: Path) -> None:
    values = merged({"modelRepository": {**REPOSITORY["modelRepository"], "alias": "resnet50"}})
    assert render({**values, "locust": {"target": {"model": "resnet50"}}}, chart=chart)


def test_another_name_for_triton_is_fine_with_an_address(chart: Path) -> None:
    values = merged({"fullnameOverride": "server"}, locust={"target": {"address": "server:8001"}})
    assert one(render(values, chart=chart), "Deployment", "server")


def test_unknown_values_of_the_umbrella_are_refused(chart: Path) -> None:
    with pytest.raises(HelmRefused, match="unknown"):
        render(merged(unknown={}), chart=chart)


def test_notes_name_services_that_exist(notes_chart: Path) -> None:
    values = merged(locust={"job": {"enabled": True}})
    manifests = render(values, chart=notes_chart)
    there = {f"{item['kind'].lower()}/{item['metadata']['name']}" for item in manifests}
    named = set(re.findall(r"\b(?:service|deployment)/[a-z0-9-]+", notes(notes_chart, values)))
    assert named == {"deployment/demo-triton", "service/demo-triton", "service/demo-locust"}
    assert named <= there


def test_notes_wait_for_a_rollout_where_there_is_no_deployment(notes_chart: Path) -> None:
    text = notes(notes_chart, merged(DELIVERED, components={"locust": False, "monitoring": False}))
    assert "argo rollouts status demo-triton\n" in text and "deployment/" not in text


def test_notes_leave_out_what_is_not_installed(notes_chart: Path) -> None:
    text = notes(notes_chart, merged(components={"locust": False, "monitoring": False}))
    assert "Inference" in text
    assert "Grafana" not in text
    assert "Locust" not in text


def test_chart_lock_fits_chart_yaml() -> None:
    assert chart_lock.main(["--check"]) == 0


def test_helm_computes_the_same_digest_of_a_lock(tmp_path: Path) -> None:
    chart = assemble(tmp_path)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    for one_of in about["dependencies"]:  # so that Helm finds all of them without a network
        one_of["repository"] = f"file://charts/{one_of['name']}"
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    ours = yaml.safe_load(chart_lock.lock(chart))
    (chart / "Chart.lock").unlink()
    (chart / "charts").rename(tmp_path / "charts")
    (chart / "charts").symlink_to(tmp_path / "charts")
    subprocess.run([str(tools.helm()), "dependency", "update", str(chart)], check=True, capture_output=True)
    assert yaml.safe_load((chart / "Chart.lock").read_text())["digest"] == ours["digest"]


def test_dependencies_are_exact_versions_and_ours_are_the_present_ones() -> None:
    for part in ("triton", "locust"):
        present = yaml.safe_load((CHARTS / part / "Chart.yaml").read_text())["version"]
        assert dependency(part)["version"] == present
    assert re.fullmatch(r"\d+\.\d+\.\d+", dependency("kube-prometheus-stack")["version"])


def test_notes_name_each_pool_of_triton(notes_chart: Path) -> None:
    pools = dict.fromkeys(("a", "b"), POOL["a"])
    shown = notes(notes_chart, merged({"pools": pools}, locust={"target": {"address": "demo-triton-a:8001"}}))
    assert all(f"rollout status deployment/demo-triton-{name}\n" in shown for name in pools)
    assert "deployment/demo-triton\n" not in shown
