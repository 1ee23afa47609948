"""A real Prometheus scrapes the servers: dashboards and alerts find their data, and a killed server fires its alert."""

import math
import time

import crash
import pytest
from choices import prebuilt, server
from cluster import wait_until
from prometheus import SCRAPE_S, Prometheus
from promql import dashboard_queries, metrics_of, with_variables
from records import Records
from release import Release
from steady import steady_load, streams

from monitoring.kube_metrics import KUBE_METRICS, UP
from triton_contract import metrics as triton

MODEL, FAULTY = "onnx_fp32", "faulty"
# A model whose every request fails, so that there are failures to show.
MAKE_FAULTY = (
    f"cp -r {MODEL} {FAULTY};"
    f" sed -i 's/^name:.*/name: \"{FAULTY}\"/; /^model_warmup/,/^}}/d' {FAULTY}/config.pbtxt;"
    f" echo 'load = lambda *_: lambda arrays: 1 / 0' >>{FAULTY}/1/model.py"
)
WINDOW = f"{10 * SCRAPE_S}s"
DOWN_S = 10
# What a cluster without GPUs, dcgm-exporter and kube-state-metrics, and the Triton of the CPU image, do not have.
GPU_METRICS = {name for name in triton.TRITON_METRICS if "gpu" in name or "energy" in name}
LATER_METRICS = {name for name, metric in triton.TRITON_METRICS.items() if metric.since > "2.51"}
NOT_HERE = GPU_METRICS | LATER_METRICS | triton.DCGM_METRICS.keys() | KUBE_METRICS - {UP}


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server with everything that is monitored, summaries included."""
    rules = {"enabled": True, "thresholds": {"serverDownSeconds": DOWN_S}}
    watched = {
        "server": {"command": crash.COMMAND, "extraArgs": ["--metrics-config=summary_latencies=true"]},
        "monitoring": {"podMonitor": {"enabled": True, "interval": f"{SCRAPE_S}s"}, "prometheusRule": rules},
        "networkPolicy": {"monitoringNamespaces": [namespace]},
    }
    installed = Release(namespace)
    installed.install(server(images, prebuilt(images, spoil=MAKE_FAULTY), watched, models=[MODEL, FAULTY]), ["cpu"])
    return installed


@pytest.fixture(scope="module")
def prometheus(namespace: str, release: Release) -> Prometheus:
    """A Prometheus that scrapes the namespace: started last, as changes take it a minute or two to notice."""
    started = Prometheus(namespace)
    started.start()
    started.wait()
    wait_until("the server is scraped", lambda: started.query(UP), 60)
    return started


@pytest.fixture(scope="module")
def queries(release: Release) -> dict[str, str]:
    """Every query of the dashboards, as Grafana would ask it about this release."""
    job = f"{release.namespace}/{release.name}"
    chosen = {"namespace": release.namespace, "job": job, "model": ".+", "__rate_interval": WINDOW}
    return {name: with_variables(expression, **chosen) for name, expression in dashboard_queries().items()}


def test_each_panel_of_the_dashboards_shows_data(
    release: Release, prometheus: Prometheus, queries: dict[str, str], images: dict[str, str]
) -> None:
    clients = [streams(release.name, release.namespace, model)[0] for model in (MODEL, FAULTY)]
    failures = f'sum(rate({triton.REQUEST_FAILURE}{{namespace="{release.namespace}"}}[{WINDOW}])) > 0'
    successes = f'sum(rate({triton.REQUEST_SUCCESS}{{namespace="{release.namespace}"}}[{WINDOW}])) > 0'
    with steady_load(release.namespace, images["locust"], "load", clients):
        wait_until("requests are scraped", lambda: prometheus.query(f"{successes} and {failures}"), 60)
        found = {name: prometheus.query(query) for name, query in queries.items()}
    answerable = {name for name, query in queries.items() if not metrics_of(query) & NOT_HERE}
    numbers = {name: [float(one["value"][1]) for one in series] for name, series in found.items()}
    assert {name for name in answerable if not any(map(math.isfinite, numbers[name]))} == set()
    assert len(answerable) > len(queries) / 2


def test_alert_rules_are_evaluated_and_find_their_series(release: Release, prometheus: Prometheus) -> None:
    rules = wait_until("the rules are evaluated", lambda: _evaluated(prometheus), 60)
    assert {name: rule.get("lastError") for name, rule in rules.items() if rule["health"] != "ok"} == {}
    asked = set().union(*(metrics_of(rule["query"]) for rule in rules.values())) - NOT_HERE
    assert {name for name in asked if not prometheus.query(f'{name}{{namespace="{release.namespace}"}}')} == set()


def _evaluated(prometheus: Prometheus) -> dict[str, dict[str, str]]:
    rules = prometheus.rules()
    return rules if all(rule["health"] != "unknown" for rule in rules.values()) else {}


def test_alert_fires_when_the_server_is_killed_and_resolves_when_it_is_back(
    release: Release, prometheus: Prometheus, records: Records
) -> None:
    (pod,) = release.ready_pods()
    assert "TritonServerDown" not in prometheus.firing()
    killed = time.monotonic()
    crash.kill(release.namespace, pod, stays_down=True)
    wait_until("the alert fires", lambda: "TritonServerDown" in prometheus.firing(), 60)
    fired = time.monotonic()
    crash.let_start(release.namespace, pod)
    back = time.monotonic()
    wait_until("the alert is resolved", lambda: "TritonServerDown" not in prometheus.firing(), 60)
    records.add_alert("TritonServerDown", DOWN_S, fired - killed, time.monotonic() - back)
