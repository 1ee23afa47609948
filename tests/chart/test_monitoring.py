"""Dashboards and alert rules ask only for metrics that exist, in PromQL that parses, and reach Grafana unchanged."""

import json
import re

import pytest
from promql import DASHBOARDS, dashboard_queries, metrics_of, panels, with_variables
from render import ROOT, one, render
from validation import errors

import monitoring.__main__ as generator
from monitoring import queries
from monitoring.kube_metrics import KUBE_METRICS
from triton_contract.metrics import DCGM_METRICS, TRITON_METRICS

KNOWN = KUBE_METRICS | TRITON_METRICS.keys() | DCGM_METRICS.keys()
VALUES = {
    "modelRepository": {"source": "url", "url": "gs://bucket/models", "models": ["original", "tftrt.fp16"]},
    "scaling": {
        "mode": "keda",
        "gpuUtilization": {"enabled": True},
        "requestRate": {"enabled": True, "perPodCapacity": 9},
    },
    "monitoring": {part: {"enabled": True} for part in ("podMonitor", "prometheusRule", "dashboards")},
}


def rendered_queries() -> dict[str, str]:
    """Expressions of the alert rules and of the autoscaler, as a user's cluster gets them."""
    manifests = render(VALUES)
    groups = one(manifests, "PrometheusRule")["spec"]["groups"]
    found = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    for trigger in one(manifests, "ScaledObject")["spec"]["triggers"]:
        found[f"keda {trigger['name']}"] = trigger["metadata"]["query"]
    return found


VARIABLES = {"namespace": "inference", "job": "inference/demo", "model": ".+", "__rate_interval": "5m"}
QUERIES = {**dashboard_queries(), **rendered_queries()}


@pytest.mark.parametrize("expression", QUERIES.values(), ids=QUERIES.keys())
def test_query_parses_and_uses_only_listed_metrics(expression: str) -> None:
    names = metrics_of(with_variables(expression, **VARIABLES))
    assert names
    assert names <= KNOWN


def test_metrics_of_sees_every_selector_of_an_expression() -> None:
    expression = "sum by (a) (rate(x[5m])) / -(avg_over_time(y[5m:30s]) + 2 * label_join(z, 't', '/', 'a')) > 3"
    assert metrics_of(expression) == {"x", "y", "z"}


def test_dashboards_are_up_to_date_with_their_source() -> None:
    assert generator.main(["--check"]) == 0


def test_generating_is_deterministic() -> None:
    assert generator.rendered() == generator.rendered()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_of_a_dashboard_ask_for_listed_metrics_and_every_variable_used_exists(name: str) -> None:
    board = DASHBOARDS[name]
    variables = board["templating"]["list"]
    asked = {match for one_of in variables for match in re.findall(r"label_values\((\w+)", str(one_of.get("query")))}
    assert asked <= KNOWN
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board)))
    assert used <= {variable["name"] for variable in variables}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_of_a_dashboard_explain_themselves_and_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels(DASHBOARDS[name]):
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_dashboards_reach_grafana_unchanged_by_templates() -> None:
    folder = {
        **VALUES,
        "monitoring": {"dashboards": {"enabled": True, "folder": "Triton"}},
        "scaling": {"mode": "fixed"},
    }
    manifests = render(folder)
    for name, board in DASHBOARDS.items():
        config_map = one(manifests, "ConfigMap", f"-dash-{name}")
        assert [json.loads(text) for text in config_map["data"].values()] == [board]
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert config_map["metadata"]["annotations"] == {"grafana_folder": "Triton"}
        assert errors([config_map]) == []


def test_a_dashboard_fits_into_a_config_map() -> None:
    for name in DASHBOARDS:
        assert (generator.DIRECTORY / f"{name}.json").stat().st_size < 500_000


def test_monitoring_is_off_until_asked_for() -> None:
    manifests = render({"modelRepository": VALUES["modelRepository"]})
    assert not [item for item in manifests if item["kind"] in ("PodMonitor", "PrometheusRule")]
    assert not [item for item in manifests if "-dash-" in item["metadata"]["name"]]


def test_series_of_the_alias_are_dropped_and_no_other() -> None:
    values = {**VALUES, "modelRepository": {**VALUES["modelRepository"], "alias": "resnet.50"}}
    (endpoint,) = one(render(values), "PodMonitor")["spec"]["podMetricsEndpoints"]
    (rule,) = endpoint["metricRelabelings"]
    assert (rule["action"], rule["sourceLabels"]) == ("drop", ["model"])
    # Prometheus anchors the expression at both ends
    dropped = [name for name in ("resnet.50", "resnet_50", "original", "") if re.fullmatch(rule["regex"], name)]
    assert dropped == ["resnet.50"]


def test_dashboards_and_alert_estimate_the_p95_alike() -> None:
    rule = rendered_queries()["TritonLatencyP95Proxy"]
    shape = re.sub(r"\{[^}]*\}|\s|\[[^\]]*\]", "", queries.p95_proxy_ms())
    assert re.sub(r"\{[^}]*\}|\s|\[[^\]]*\]", "", rule) == f"{shape}>100"


def test_failure_reasons_in_queries_are_tritons() -> None:
    from triton_contract.metrics import FAILURE_REASONS

    reasons = {reason for query in QUERIES.values() for reason in re.findall(r'reason!?="(\w+)"', query)}
    assert reasons <= set(FAILURE_REASONS)


def test_metric_list_needs_no_other_package() -> None:
    imports = re.findall(r"^(?:from|import) (\w+)", (ROOT / "triton_contract/metrics.py").read_text(), re.MULTILINE)
    assert set(imports) == {"dataclasses", "typing"}
