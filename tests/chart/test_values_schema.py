"""values.yaml is the one truth: schema and README follow from it, every value is used, and nothing else is accepted."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import EVERYTHING, URL, at, with_values
from chart_values import leaves, read_values
from render import ROOT, HelmRefused, render
from validation import errors

CHARTS = sorted(path.parent for path in (ROOT / "charts").glob("*/values.yaml"))
ONE_CHART = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
# Parts of another chart: their values are checked there.
SUBCHARTS = {"triton", "locust", "kube-prometheus-stack"}


def test_schema_and_readme_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "ci/chart_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@ONE_CHART
def test_schema_is_closed_and_complete_wherever_it_names_keys(chart: Path) -> None:
    for path, node in objects(json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))):
        if "properties" in node:
            assert node.get("additionalProperties") is False, path


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")


@ONE_CHART
def test_every_value_is_used_by_a_template(chart: Path) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in chart.glob("templates/**/*") if path.is_file())
    text += (chart / "Chart.yaml").read_text(encoding="utf-8")  # conditions of parts
    paths = [leaf.path for leaf in leaves(read_values(chart)) if leaf.path[0] not in SUBCHARTS]
    assert [".".join(path) for path in paths if not used(path, text)] == []


def used(path: tuple[str, ...], text: str) -> bool:
    """Whether a template names the whole path, or an ancestor on its own and then the rest, as in `with` or `$x :=`."""
    if re.search(rf"(\.Values\.|condition: ){re.escape('.'.join(path))}\b", text):
        return True
    for cut in range(1, len(path)):
        ancestor, rest = ".".join(path[:cut]), ".".join(path[cut:])
        if re.search(rf"\.Values\.{re.escape(ancestor)}\b(?!\.)", text) and re.search(rf"\.{re.escape(rest)}\b", text):
            return True
        # the ancestor handed on in two steps: `with .Values.a.b`, `$image := .image`
        last = path[cut - 1]
        if re.search(rf"(\$\w+|\s)\.{last}\b(?!\.)", text) and re.search(rf"\.{re.escape(rest)}\b", text):
            return True
    return False


def test_lint_finds_an_unused_value() -> None:
    assert not used(("a", "b"), "{{ .Values.a.c }}")
    assert used(("a", "b"), "{{ .Values.a.b }}")
    assert used(("a", "b"), "{{- with .Values.a }}{{ .b }}{{ end }}")


TRITON = read_values(ROOT / "charts/triton")
LEVELS = sorted({leaf.path[:-1] for leaf in leaves(TRITON)})


@pytest.mark.parametrize("level", LEVELS, ids=".".join)
def test_unknown_key_is_refused_at_each_level(level: tuple[str, ...]) -> None:
    with pytest.raises(HelmRefused, match="unknownKey"):
        render(with_values(URL, at(".".join((*level, "unknownKey")), 1)))


@pytest.mark.parametrize("path", ["image.tag", "gpu.count", "server", "monitoring.podMonitor.enabled"])
def test_null_can_not_remove_a_value(path: str) -> None:
    with pytest.raises(HelmRefused, match=r"(?i)missing propert|is required|got null"):
        render(with_values(URL, at(path, None)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.tag", "not a tag"),
        ("image.digest", "sha256:short"),
        ("image.registry", "https://registry.example/product"),
        ("global.imageRegistry", "oci://registry.example"),
        ("gateway.parentRefs", [{"name": ""}]),
        ("gateway.parentRefs", [{"name": "a", "namespace": "a.b"}]),
        ("gateway.parentRefs", [{"name": "a", "port": 0}]),
        ("gateway.parentRefs", [{"name": "a..b"}]),
        ("gateway.parentRefs", [{"name": "a", "sectionName": "a..b"}]),
        ("server.tracing.otlpUrl", "http://collector:4318"),
        ("modelRepository.models", []),
        ("modelRepository.models", ["a", "a"]),
        ("modelRepository.models", ["--flag"]),
        ("modelRepository.url", "https://bucket"),
        ("modelRepository.path", "/absolute"),
        ("server.sharedMemory", "unlimited"),
        ("server.responseCache.size", "64M"),
        ("gpu.count", -1),
        ("gpu.count", "1"),
        ("podDisruptionBudget.maxUnavailable", 0),
        ("podDisruptionBudget.maxUnavailable", "0%"),
        ("scaling.mode", "both"),
        ("security.runAsUser", 0),
        ("commonLabels", {"app.kubernetes.io/name": "other"}),
        ("podLabels", {"team": "two words"}),
        ("podAnnotations", {"checksum/plan": "x"}),
        ("networkPolicy.clientCidrs", ["everyone"]),
        ("podAnnotations", {"k" * 64: "x"}),
        ("podAnnotations", {"a..b/c": "x"}),
        ("podAnnotations", {"inference-system/tuning": "x"}),
        ("ingress.http.host", "Not A Host"),
        ("ingress.http.host", "a..example.com"),
        ("ingress.http.host", "10.0.0.1"),
        ("ingress.http.host", "a" * 64 + ".example.com"),
        ("gateway.http.hostnames", ["a-.example.com"]),
        ("ingress.tlsSecretName", "a..b"),
        ("service.loadBalancerClass", "a/" + "b" * 64),
        ("gpu.resourceName", "nvidia..com/gpu"),
        ("gpu.resourceName", "memory"),
        ("resources.limits", {"disk": "1Gi"}),
        ("pod.hostAliases", [{"ip": "10.0.0.1", "hostnames": ["two words"]}]),
        ("pod.dnsConfig", {"searches": ["two words"]}),
        ("pod.dnsConfig", {"options": [{"name": ""}]}),
        ("pod.extraContainers", [{"name": "a", "image": " b:1"}]),
        ("pod.extraContainers", [{"name": "a", "image": "b:1", "ports": [9000]}]),
        ("pod.extraContainers", [{"name": "a", "image": "b:1", "ports": [{"containerPort": "9000"}]}]),
        ("pod.extraContainers", [{"name": "a", "image": "b:1", "ports": [{"name": "p" * 16, "containerPort": 9}]}]),
        ("image.repository", "team//tritonserver"),
        ("modelRepository.image.reference", "models 1:2"),
        ("imagePullSecrets", [{"name": "A_b"}]),
        ("server.command", [""]),
        ("server.extraEnvFrom", [{"secretRef": {"name": ""}}]),
        ("monitoring.podMonitor.relabelings", [{"targetLabel": "two words"}]),
        ("monitoring.podMonitor.relabelings", [{"action": "hashmod", "modulus": 0}]),
        ("placement.tolerations", [{"key": "two words", "operator": "Exists"}]),
        ("server.tracing.otlpUrl", "http://collector:port/v1/traces"),
        ("server.extraEnv", [{"name": "A", "valueFrom": {}}]),
        ("scaling.keda.extraTriggers", [{"type": "cron", "metadata": {}, "authenticationRef": {}}]),
    ],
)
def test_schema_refuses(path: str, value: Any) -> None:
    with pytest.raises(HelmRefused, match="specifications of the schema"):
        render(with_values(URL, at(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("resources.limits.cpu", 0.5),
        ("ingress.http.host", "*.example.com"),
        ("gpu.resourceName", "nvidia.com/mig-1g.5gb"),
        ("resources.limits", {"ephemeral-storage": "1Gi", "hugepages-2Mi": "2Mi", "example.com/nic": 1}),
        ("image.repository", "team/triton__server-cpu.v2"),
        ("pod.dnsConfig", {"searches": ["_tcp.example.com."]}),
        ("podAnnotations", {"k8s.v1.cni.cncf.io/networks": "x", "k" * 63: "y"}),
    ],
)
def test_schema_takes(path: str, value: Any) -> None:
    assert render(with_values(URL, at("resources.requests.cpu", "250m"), at(path, value)))


NUMBERS = [
    (chart, leaf)
    for chart in ("triton", "locust")
    for leaf in leaves(read_values(ROOT / "charts" / chart))
    if leaf.constraints.get("type", leaf.json_type) == "integer" and "$ref" not in leaf.constraints
    if leaf.constraints.get("maximum", 10**9) >= 10**6
]
TRACED = with_values(
    EVERYTHING,
    {"server": {"tracing": {"otlpUrl": "http://collector.telemetry.svc:4318/v1/traces"}}},
    {"networkPolicy": {"telemetryNamespaces": ["telemetry"]}},
)
LOADED = {"target": {"address": "a:1"}, "job": {"enabled": True, "workers": 2}}


@pytest.mark.parametrize(("chart", "leaf"), NUMBERS, ids=lambda one: ".".join(getattr(one, "path", [])))
def test_a_large_number_is_not_written_as_a_fraction(chart: str, leaf: Any) -> None:
    """A template prints numbers from 1000000 on as 1e+06 unless it is told otherwise."""
    largest = leaf.constraints.get("maximum", 10**9)
    start = TRACED if chart == "triton" else LOADED
    manifests = render(with_values(start, at(".".join(leaf.path), largest)), chart=chart)
    assert errors(manifests) == []
    assert not re.search(r"[0-9]e\+[0-9]", json.dumps(manifests))


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_notes_upgrade_to_a_newer_chart_too(chart: Path) -> None:
    """--reuse-values takes the values as they were: those that a newer chart has besides would be missing."""
    notes = chart / "templates" / "NOTES.txt"
    assert "--reuse-values" not in notes.read_text(encoding="utf-8")
