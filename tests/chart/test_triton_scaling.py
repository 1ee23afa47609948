"""Exactly one owner of the replica count: the Deployment, an HPA or KEDA."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from cases import URL, at, with_values
from render import ROOT, Manifest, kinds, one, render

KEDA = {"scaling": {"mode": "keda"}, "monitoring": {"podMonitor": {"enabled": True}}}
HPA = {"scaling": {"mode": "hpa"}}


def scaling(mode: dict[str, Any], *values: dict[str, Any]) -> list[Manifest]:
    return render(with_values(URL, mode, *values))


OWNERS = [("fixed", "Deployment"), ("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")]


@pytest.mark.parametrize(("mode", "owner"), OWNERS)
def test_one_owner_of_the_replica_count(mode: str, owner: str) -> None:
    manifests = scaling(KEDA, at("scaling.mode", mode))
    owners = [kind for kind in kinds(manifests) if kind in ("HorizontalPodAutoscaler", "ScaledObject")]
    if "replicas" in one(manifests, "Deployment")["spec"]:
        owners.append("Deployment")
    assert owners == [owner]


def test_fixed_number_comes_from_the_values() -> None:
    assert one(render(with_values(URL, at("scaling.replicas", 7))), "Deployment")["spec"]["replicas"] == 7


@pytest.mark.parametrize(
    ("mode", "kind", "fields"),
    [
        (HPA, "HorizontalPodAutoscaler", ("minReplicas", "maxReplicas")),
        (KEDA, "ScaledObject", ("minReplicaCount", "maxReplicaCount")),
    ],
)
def test_bounds_come_from_the_values(mode: dict[str, Any], kind: str, fields: tuple[str, str]) -> None:
    spec = one(scaling(mode, at("scaling", {"minReplicas": 2, "maxReplicas": 9})), kind)["spec"]
    assert (spec[fields[0]], spec[fields[1]]) == (2, 9)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "demo-triton"}


def test_pods_are_removed_only_after_the_cool_down() -> None:
    cooldown = at("scaling.cooldownSeconds", 123)
    keda = one(scaling(KEDA, cooldown), "ScaledObject")["spec"]
    hpa = one(scaling(HPA, cooldown), "HorizontalPodAutoscaler")["spec"]
    # KEDA's own cool-down concerns only the last Pod; the rest follows the HPA that it makes.
    assert keda["cooldownPeriod"] == 123
    behavior = keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == hpa["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 123


def test_steps_up_and_down_grow_with_the_fleet() -> None:
    behavior = one(scaling(HPA), "HorizontalPodAutoscaler")["spec"]["behavior"]
    # Kubernetes rounds what stays down, so 10 % of less than ten Pods is one.
    assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "value": 10, "periodSeconds": 60}]
    assert {policy["type"]: policy["value"] for policy in behavior["scaleUp"]["policies"]} == {
        "Percent": 100,
        "Pods": 2,
    }


def test_steps_come_from_the_values() -> None:
    steps = {
        "scaleUp": {"percent": 50, "pods": 8, "periodSeconds": 30, "stabilizationSeconds": 15},
        "scaleDown": {"percent": 25, "periodSeconds": 120},
    }
    behavior = one(scaling(HPA, {"scaling": steps}), "HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleUp"] == {
        "stabilizationWindowSeconds": 15,
        "policies": [
            {"type": "Percent", "value": 50, "periodSeconds": 30},
            {"type": "Pods", "value": 8, "periodSeconds": 30},
        ],
        "selectPolicy": "Max",
    }
    assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "value": 25, "periodSeconds": 120}]


def test_a_trigger_of_ones_own_may_be_the_only_one() -> None:
    working_hours = {
        "type": "cron",
        "metadata": {"timezone": "UTC", "start": "0 6 * * *", "end": "0 20 * * *", "desiredReplicas": "3"},
    }
    values = {"queueTime": {"enabled": False}, "keda": {"extraTriggers": [working_hours]}}
    assert one(scaling(KEDA, {"scaling": values}), "ScaledObject")["spec"]["triggers"] == [working_hours]


def test_keda_falls_back_to_the_given_number() -> None:
    rate = {"queueTime": {"enabled": False}, "requestRate": {"enabled": True, "perPodCapacity": 9}}
    values = {"scaling": {**rate, "keda": {"fallback": {"replicas": 3, "failureThreshold": 5}}}}
    assert one(scaling(KEDA, values), "ScaledObject")["spec"]["fallback"] == {"replicas": 3, "failureThreshold": 5}


def test_t4_values_scale_as_published() -> None:
    spec = one(render(URL, files=["gke-t4", "autoscale-keda"]), "ScaledObject")["spec"]
    assert (spec["maxReplicaCount"], spec["cooldownPeriod"]) == (4, 360)
    gpu = next(trigger for trigger in spec["triggers"] if trigger["name"] == "gpu-utilization-percent")
    assert gpu["metadata"]["threshold"] == "85"


def test_published_group_follows_gpu_utilisation_alone() -> None:
    spec = one(render(URL, files=["gke-t4", "autoscale-gpu"]), "ScaledObject")["spec"]
    limits = {item["name"]: item["metadata"]["threshold"] for item in spec["triggers"]}
    assert limits == {"gpu-utilization-percent": "85"}
    assert (spec["maxReplicaCount"], spec["cooldownPeriod"]) == (4, 360)


def trigger(name: str, values: dict[str, Any]) -> dict[str, Any]:
    triggers = one(scaling(KEDA, values), "ScaledObject")["spec"]["triggers"]
    return next(item for item in triggers if item["name"] == name)


def test_queue_time_is_compared_as_a_mean_over_all_requests() -> None:
    queue = trigger("queue-time-ms", at("scaling", {"windowSeconds": 90, "queueTime": {"targetMs": 12.5}}))
    assert (queue["metricType"], queue["metadata"]["threshold"]) == ("Value", "12.5")
    series = '{namespace="inference",job="inference/demo-triton"}[90s]'
    assert queue["metadata"]["query"] == (
        f"sum(rate(nv_inference_queue_duration_us{series})) / 1000"
        f" / clamp_min(sum(rate(nv_inference_request_success{series})), 0.001)"
    )


def test_gpu_utilisation_is_compared_as_a_mean_over_all_gpus() -> None:
    gpu = trigger("gpu-utilization-percent", at("scaling.gpuUtilization", {"enabled": True, "targetPercent": 70}))
    assert (gpu["metricType"], gpu["metadata"]["threshold"]) == ("Value", "70")
    assert gpu["metadata"]["query"].startswith("100 * avg(avg_over_time(nv_gpu_utilization{")


def test_request_rate_is_divided_by_the_share_of_a_pods_capacity() -> None:
    rate = {"enabled": True, "perPodCapacity": 250, "targetPercent": 80}
    requests = trigger("requests-per-second", at("scaling.requestRate", rate))
    assert (requests["metricType"], float(requests["metadata"]["threshold"])) == ("AverageValue", 200.0)


def test_keda_asks_the_given_prometheus() -> None:
    address = "https://prometheus.example.com"
    keda = {"prometheusAddress": address, "pollingIntervalSeconds": 7, "authenticationRef": "token"}
    spec = one(scaling(KEDA, at("scaling.keda", keda)), "ScaledObject")["spec"]
    assert spec["pollingInterval"] == 7
    assert spec["triggers"][0]["metadata"]["serverAddress"] == address
    assert spec["triggers"][0]["authenticationRef"] == {"name": "token"}


def test_hpa_follows_the_metrics_of_an_adapter() -> None:
    values = {
        "queueTime": {"targetMs": 12.5, "adapterMetric": "queue"},
        "gpuUtilization": {"enabled": True, "targetPercent": 85, "adapterMetric": "gpu"},
        "requestRate": {"enabled": True, "perPodCapacity": 250, "targetPercent": 80, "adapterMetric": "rate"},
    }
    metrics = one(scaling(HPA, {"scaling": values}), "HorizontalPodAutoscaler")["spec"]["metrics"]
    targets = {item["pods"]["metric"]["name"]: item["pods"]["target"]["averageValue"] for item in metrics}
    assert targets == {"queue": "12500m", "gpu": "850m", "rate": "200000m"}


def test_queue_time_can_be_left_out() -> None:
    values = {"queueTime": {"enabled": False}, "gpuUtilization": {"enabled": True}}
    triggers = one(scaling(KEDA, {"scaling": values}), "ScaledObject")["spec"]["triggers"]
    assert [item["name"] for item in triggers] == ["gpu-utilization-percent"]


OWN = {"metadata": {"name": "demo-triton"}, "status": {"desiredReplicas": 7}}
KEDAS = with_values(OWN, at("metadata.ownerReferences", [{"kind": "ScaledObject", "name": "demo-triton"}]))


@pytest.mark.parametrize(
    ("mode", "there", "refused"),
    [
        ("keda", OWN, "hpa"),
        ("hpa", KEDAS, "keda"),
        ("hpa", OWN, ""),
        ("keda", KEDAS, ""),
        ("fixed", OWN, ""),
        ("fixed", KEDAS, ""),
        ("keda", {}, ""),
    ],
)
def test_one_autoscaler_takes_the_place_of_another_by_way_of_fixed(
    mode: str, there: dict[str, Any], refused: str, tmp_path: Path
) -> None:
    said = asked(tmp_path, "triton.autoscalerInTheWay", {"mode": mode, "autoscaler": there})
    if not refused:
        assert not said
        return
    assert said.startswith(f"scaling.mode is {mode}, and the autoscaler of the mode {refused} is there: ")
    assert said.endswith("upgrade to the mode fixed first, with scaling.replicas 7 as it has now")


def test_an_autoscaler_that_has_not_looked_yet_has_its_fewest_pods(tmp_path: Path) -> None:
    new = {"metadata": {"name": "demo-triton"}, "spec": {"minReplicas": 3}}
    said = asked(tmp_path, "triton.autoscalerInTheWay", {"mode": "keda", "autoscaler": new})
    assert said.endswith("with scaling.replicas 3 as it has now")


def asked(tmp_path: Path, template: str, arguments: dict[str, Any]) -> str:
    """What a template says of objects that `lookup` finds: only a cluster has some, so they are given."""
    (tmp_path / "templates").mkdir(exist_ok=True)
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: asks\nversion: 0.1.0\n")
    shutil.copy(ROOT / "charts/triton/templates/_fleet.tpl", tmp_path / "templates")
    shown = f'said: {{{{ include "{template}" .Values.asked | quote }}}}'
    (tmp_path / "templates/said.yaml").write_text(f"kind: ConfigMap\nmetadata: {{name: said}}\n{shown}\n")
    return str(one(render({"asked": arguments}, chart=tmp_path), "ConfigMap")["said"])


def test_pods_that_are_selected_by_another_name_are_not_left_without_a_service(tmp_path: Path) -> None:
    labels = {"app.kubernetes.io/name": "triton", "app.kubernetes.io/instance": "demo"}
    workload = with_values(OWN, at("spec.selector", {"matchLabels": labels}))
    other = labels | {"app.kubernetes.io/name": "server"}
    said = asked(tmp_path, "triton.selectorInTheWay", {"workload": workload, "selector": other})
    assert said.startswith("nameOverride makes the label app.kubernetes.io/name server, and the Pods of demo-triton ")
    for there in ({}, workload):
        assert not asked(tmp_path, "triton.selectorInTheWay", {"workload": there, "selector": labels})
