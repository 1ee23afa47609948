"""The alert rules: valid, each with a runbook, and each proven by promtool to fire and to stay quiet."""

import subprocess
from pathlib import Path

import pytest
import yaml
from cases import DELIVERED, with_values
from render import ROOT, Manifest, one, render, tools
from validation import errors

CASES = Path(__file__).parent / "alerts"
MONITORING = {
    "podMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True, "thresholds": {"headroomPercent": 30}},
}
SCALED = {
    "modelRepository": {"source": "url", "url": "gs://bucket/models", "models": ["original", "tftrt.fp16"]},
    "scaling": {"mode": "keda", "requestRate": {"perPodCapacity": 100}},
    "monitoring": MONITORING,
}


def rule_object(values: dict) -> Manifest:
    return one(render(values), "PrometheusRule")


def rules(values: dict) -> dict[str, dict]:
    return {rule["alert"]: rule for group in rule_object(values)["spec"]["groups"] for rule in group["rules"]}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(tools.promtool()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_rules_fit_the_schema_of_the_operator() -> None:
    assert errors([rule_object(SCALED)]) == []


@pytest.mark.external
def test_promtool_accepts_every_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule_object(SCALED)["spec"]))
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_unit_test_and_every_unit_test_an_alert() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(rules(SCALED))


@pytest.mark.external
@pytest.mark.parametrize("alert", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_alert_fires_when_it_should_and_only_then(alert: str, tmp_path: Path) -> None:
    spec = rule_object(SCALED)["spec"]
    for group in spec["groups"]:
        for rule in group["rules"]:  # promtool compares all annotations; the cases name the summary
            rule["annotations"] = {"summary": rule["annotations"]["summary"]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    case = tmp_path / f"{alert}.yaml"
    case.write_text((CASES / f"{alert}.yaml").read_text())
    tested = promtool("test", "rules", case)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_unit_test_has_a_firing_and_a_quiet_case() -> None:
    for path in CASES.glob("*.yaml"):
        names = [case["name"] for case in yaml.safe_load(path.read_text())["tests"]]
        assert any(name.startswith("fires") for name in names), path
        assert any(name.startswith("is quiet") for name in names), path


@pytest.mark.parametrize("alert", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_alert_has_a_severity_and_a_runbook(alert: str) -> None:
    rule = rules(SCALED)[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["description"]
    runbook = (ROOT / rule["annotations"]["runbook_url"]).read_text()
    for heading in (f"# {alert}\n", "## Meaning\n", "## Impact\n", "## Diagnosis\n", "## Mitigation\n"):
        assert heading in runbook


def test_runbook_address_can_be_replaced() -> None:
    own = {**MONITORING, "prometheusRule": {"enabled": True, "runbookBaseUrl": "https://runbooks.example/triton/"}}
    rule = rules({**SCALED, "monitoring": own})["TritonServerDown"]
    assert rule["annotations"]["runbook_url"] == "https://runbooks.example/triton/server-down.md"


def test_thresholds_come_from_the_values() -> None:
    chosen = {
        "objective": {"p95Ms": 12.5, "errorPercent": 0.25},
        "thresholds": {"pendingRequests": 7, "serverDownSeconds": 30},
    }
    own = rules({**SCALED, "monitoring": {**MONITORING, "prometheusRule": {"enabled": True, **chosen}}})
    assert own["TritonLatencyP95Proxy"]["expr"].endswith("> 12.5")
    assert own["TritonErrorShare"]["expr"].endswith("> 0.25")
    assert "> 7\n" in own["TritonQueueGrowing"]["expr"]
    assert own["TritonServerDown"]["for"] == "30s"


def test_rules_about_what_is_not_there_are_left_out() -> None:
    monitoring = {**MONITORING, "prometheusRule": {"enabled": True}}
    fixed = {**SCALED, "scaling": {"mode": "fixed", "replicas": 0}, "gpu": {"count": 0}, "monitoring": monitoring}
    left_out = set(rules(SCALED)) - set(rules(fixed))
    assert left_out == {
        "TritonServerDown",
        "TritonGpuMemory",
        "TritonReplicasAtMaximum",
        "TritonHeadroomTooSmall",
    }


def test_a_number_that_can_not_rise_is_no_alert() -> None:
    bounds = {"minReplicas": 4, "maxReplicas": 4}
    assert "TritonReplicasAtMaximum" not in rules({**SCALED, "scaling": {**SCALED["scaling"], **bounds}})


@pytest.mark.external
def test_a_delivery_s_old_revision_may_lack_the_new_revision_s_models(tmp_path: Path) -> None:
    delivered = with_values(DELIVERED, {"monitoring": {"prometheusRule": {"enabled": True}}})
    rule = rules(delivered)["TritonModelNotReady"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    where = 'namespace="inference",job="inference/demo-triton"'
    old, empty = (f"demo-triton-6d5c9b7f8d-{suffix}" for suffix in ("abcde", "fghij"))
    series = [(f'up{{{where},pod="{pod}"}}', "1x40") for pod in (old, empty)]
    series.append((f'nv_inference_request_success{{{where},pod="{old}",model="before"}}', "0x40"))
    alert = {
        "exp_labels": {"severity": "warning", "namespace": "inference", "job": "inference/demo-triton", "pod": empty},
        "exp_annotations": rule["annotations"] | {"summary": f"{empty} does not serve its models"},
    }
    case = {
        "interval": "30s",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "alert_rule_test": [{"eval_time": "15m", "alertname": "TritonModelNotReady", "exp_alerts": [alert]}],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    tested = promtool("test", "rules", tmp_path / "case.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_headroom_is_no_alert_without_a_share() -> None:
    values = {"monitoring": {**MONITORING, "prometheusRule": {"enabled": True}}}
    assert "TritonHeadroomTooSmall" not in rules({**SCALED, **values})


def test_without_promtool_and_go_the_tests_fail_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PROMTOOL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    with pytest.raises(tools.ToolMissing, match="install promtool or set PROMTOOL"):
        tools.promtool.__wrapped__()
