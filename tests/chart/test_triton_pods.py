"""Where and how Triton's Pods run: placement, roll-out, disruptions, identity and labels."""

from typing import Any

import pytest
from cases import EVERYTHING, URL, at, with_values
from render import kinds, one, render
from validation import errors


def deployment(*values: dict[str, Any]) -> dict[str, Any]:
    return one(render(with_values(URL, *values)), "Deployment")["spec"]


def pod(*values: dict[str, Any]) -> dict[str, Any]:
    return deployment(*values)["template"]["spec"]


def test_neutral_default_names_no_node() -> None:
    assert not {"nodeSelector", "tolerations"} & set(pod())


def test_t4_values_choose_the_t4_nodes_and_tolerate_their_taint() -> None:
    spec = one(render(URL, files=["gke-t4"]), "Deployment")["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.parametrize("wanted", [True, False])
def test_one_pod_per_node_is_a_matter_of_values(wanted: bool) -> None:
    assert ("affinity" in pod(at("placement.onePodPerNode", wanted))) is wanted


def test_affinity_is_kept_beside_one_pod_per_node() -> None:
    term = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}
    node = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}
    assert set(pod(at("placement.affinity", node))["affinity"]) == {"nodeAffinity", "podAntiAffinity"}


def test_pods_spread_over_zones_and_nodes() -> None:
    constraints = {item["topologyKey"]: item["whenUnsatisfiable"] for item in pod()["topologySpreadConstraints"]}
    assert constraints == {"topology.kubernetes.io/zone": "ScheduleAnyway", "kubernetes.io/hostname": "ScheduleAnyway"}


def test_spread_over_zones_can_be_enforced() -> None:
    constraint = pod(at("placement.zoneSpread", "DoNotSchedule"))["topologySpreadConstraints"][0]
    assert constraint["whenUnsatisfiable"] == "DoNotSchedule"


def test_a_cordoned_zone_holds_no_pod_back() -> None:
    assert [item["nodeTaintsPolicy"] for item in pod()["topologySpreadConstraints"]] == ["Honor", "Honor"]


def test_constraints_of_ones_own_take_the_place_of_the_charts_and_select_its_pods() -> None:
    rack = {"maxSkew": 2, "topologyKey": "example.com/rack", "whenUnsatisfiable": "DoNotSchedule"}
    other = {**rack, "topologyKey": "example.com/row", "labelSelector": {"matchLabels": {"a": "b"}}}
    constraints = pod(at("placement.topologySpreadConstraints", [rack, other]))["topologySpreadConstraints"]
    selector = deployment()["selector"]
    assert constraints == [{**rack, "labelSelector": selector}, other]


@pytest.mark.parametrize("key", ["priorityClassName", "runtimeClassName", "schedulerName"])
def test_class_is_named(key: str) -> None:
    assert pod(at(f"placement.{key}", "special"))[key] == "special"


@pytest.mark.parametrize(
    ("rollout", "surge", "unavailable"),
    [
        ({"mode": "surge"}, "25%", 0),
        ({"mode": "replace"}, 0, "10%"),
        ({"mode": "surge", "maxSurge": 3, "maxUnavailable": "5%"}, 3, "5%"),
        ({"mode": "replace", "maxUnavailable": 2}, 0, 2),
    ],
)
def test_rollout_surges_or_replaces_a_share_of_the_fleet(rollout: dict[str, Any], surge: Any, unavailable: Any) -> None:
    strategy = deployment({"rollout": rollout, "scaling": {"replicas": 400}})["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": surge, "maxUnavailable": unavailable}


def test_rollout_has_time_for_a_slow_start_and_stop() -> None:
    spec = deployment({"probes": {"startupTimeoutSeconds": 2000}, "rollout": {"minReadySeconds": 9}})
    assert spec["progressDeadlineSeconds"] > 2000 + spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert spec["minReadySeconds"] == 9


def test_old_revisions_are_kept_as_the_value_says() -> None:
    assert deployment(at("rollout.revisionHistoryLimit", 2))["revisionHistoryLimit"] == 2


@pytest.mark.parametrize("value", [2, "50%", ""])
def test_disruption_budget_allows_the_given_number(value: Any) -> None:
    values = with_values(URL, at("podDisruptionBudget.maxUnavailable", value), at("scaling.replicas", 4))
    budget = one(render(values), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == (value or "10%")
    assert budget["spec"]["selector"]["matchLabels"] == deployment()["selector"]["matchLabels"]


def test_disruption_budget_can_be_left_out() -> None:
    assert "PodDisruptionBudget" not in kinds(render(with_values(URL, at("podDisruptionBudget.enabled", False))))


def test_no_token_of_the_api_is_mounted() -> None:
    manifests = render(URL)
    assert one(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod()["automountServiceAccountToken"] is False
    assert pod(at("serviceAccount.automountToken", True))["automountServiceAccountToken"] is True


def test_service_account_carries_the_cloud_identity() -> None:
    annotations = {"iam.gke.io/gcp-service-account": "triton@project.iam.gserviceaccount.com"}
    account = one(render(with_values(URL, at("serviceAccount.annotations", annotations))), "ServiceAccount")
    assert account["metadata"]["annotations"] == annotations


def test_existing_service_account_is_used() -> None:
    values = at("serviceAccount", {"create": False, "name": "existing"})
    assert "ServiceAccount" not in kinds(render(with_values(URL, values)))
    assert pod(values)["serviceAccountName"] == "existing"


def test_user_and_group_come_from_the_values() -> None:
    context = pod({"security": {"runAsUser": 65532, "runAsGroup": 65533}})["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (65532, 65533, 65533)


def test_pull_secrets_reach_server_and_test() -> None:
    manifests = render(with_values(URL, at("imagePullSecrets", [{"name": "registry"}])))
    assert one(manifests, "Pod")["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert one(manifests, "Deployment")["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_pods_carry_their_own_and_common_labels_and_annotations() -> None:
    values = {"commonLabels": {"team": "a", "both": "x"}, "podLabels": {"both": "y"}, "podAnnotations": {"note": "z"}}
    metadata = deployment(values)["template"]["metadata"]
    assert (metadata["labels"]["team"], metadata["labels"]["both"], metadata["annotations"]["note"]) == ("a", "y", "z")


def test_new_chart_version_alone_restarts_no_server() -> None:
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(deployment()["template"]["metadata"]["labels"])


def test_every_object_carries_the_common_labels() -> None:
    for manifest in render(with_values(URL, at("commonLabels", {"team": "a"}))):
        assert manifest["metadata"]["labels"]["team"] == "a", manifest["kind"]


@pytest.mark.parametrize("release", ["a", "a" * 53, "with.dots", "b-" * 26 + "b"])
def test_names_fit_for_any_release_name(release: str) -> None:
    assert errors(render(EVERYTHING, release=release)) == []


def test_long_release_names_stay_apart() -> None:
    names = {one(render(URL, release="a" * 52 + end), "Deployment")["metadata"]["name"] for end in "bc"}
    assert len(names) == 2


def test_names_can_be_replaced() -> None:
    assert one(render(with_values(URL, {"nameOverride": "server"})), "Deployment")["metadata"]["name"] == "demo-server"
    assert one(render(with_values(URL, {"fullnameOverride": "mine"})), "Deployment")["metadata"]["name"] == "mine"
