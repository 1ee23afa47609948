"""Presets: what `-f values/NAME.yaml` does, as a value that needs no checkout of the source."""

from typing import Any

import chart_docs
import pytest
import yaml
from cases import DELIVERED, PLAN, URL, at, with_values
from chart_values import read_values
from render import ROOT, HelmRefused, one, render

CHART = ROOT / "charts/triton"
KNOWN = {value.path[0] for value in read_values(CHART)}
NAMES = sorted(path.stem for path in chart_docs.presets(CHART, KNOWN) if path.suffix == ".yaml")
BUILT = {"modelRepository": {"builder": {"plan": PLAN}}}
INT8_PLAN = PLAN.replace("original", "onnx_int8")
# What a file leaves to its user.
NEEDED: dict[str, dict[str, Any]] = {
    "autoscale-gpu": URL,
    "autoscale-keda": URL,
    "cpu": BUILT,
    "gke-t4": at("modelRepository.url", "gs://bucket/models"),
    "pools": {"pools": {"t4": URL, "cpu": {"modelRepository": {"builder": {"plan": INT8_PLAN}}}}},
    "tiers": URL,
}
HOSTS = {"http": {"hostnames": ["a.example.com"]}, "grpc": {"hostnames": ["b.example.com"]}}


def needed(name: str) -> dict[str, Any]:
    hosts = {"gateway": HOSTS} if name.startswith("gateway-") else {}
    return with_values(NEEDED.get(name, URL), hosts)


def test_every_values_file_of_the_chart_is_a_preset() -> None:
    others = {path.stem for path in (ROOT / "values").glob("*.yaml")} - set(NAMES)
    assert others == {"locust-20-workers"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("gateway-gke-region", "gateway-gke-regions")])
def test_a_preset_renders_what_its_file_renders(name: str) -> None:
    assert render(with_values(needed(name), {"presets": [name]})) == render(needed(name), files=[name])


def test_several_presets_are_files_in_their_order() -> None:
    names = ["gke-t4", "tftrt_int8", "autoscale-keda", "gateway-gke", "gateway-gke-regions"]
    values = with_values(NEEDED["gke-t4"], {"gateway": HOSTS})
    assert render(with_values(values, {"presets": names})) == render(values, files=names)
    # The later wins, where both say something.
    twice = render(with_values(URL, {"presets": ["original", "onnx_fp32"]}))
    assert "--load-model=onnx_fp32" in one(twice, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]


def test_what_is_given_wins_over_a_preset() -> None:
    given = with_values(BUILT, at("resources.limits", {"memory": "5Gi"}), at("image.tag", "mine"))
    container = one(render(with_values(given, {"presets": ["cpu"]})), "Deployment")["spec"]["template"]["spec"]
    assert container["containers"][0]["resources"]["limits"] == {"memory": "5Gi"}
    assert container["containers"][0]["image"] == "triton-cpu:mine"


def test_a_change_can_be_delivered_in_steps_on_nodes_of_a_preset() -> None:
    values = with_values(DELIVERED, {"modelRepository": {"source": "", "builder": {"plan": ""}}}, NEEDED["gke-t4"])
    values = with_values(values, {"delivery": {"measure": {"ratePerSecond": 0}}})
    with pytest.raises(HelmRefused, match=r"rollout\.mode must be surge: .* put surge"):
        render(with_values(values, {"presets": ["gke-t4"]}))
    assert one(render(with_values(values, {"presets": ["gke-t4", "surge"]})), "Rollout")


def test_rules_hold_for_presets() -> None:
    with pytest.raises(HelmRefused, match=r"modelRepository\.source is url, so modelRepository\.url must be"):
        render({"presets": ["gke-t4"]})


def test_an_unknown_preset_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(HelmRefused, match=r"presets holds gke-t5: there are autoscale-gpu, .*gke-t4, "):
        render(with_values(URL, {"presets": ["gke-t5"]}))


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_values_of_the_chart_alone(name: str) -> None:
    """Helm checks the values that are given by the schema, not what a template adds to them."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def unknown(preset: dict[str, Any], known: dict[str, Any]) -> list[str]:
        deeper = [(preset[key], known[key]) for key in preset if isinstance(known.get(key), dict) and known[key]]
        return [key for key in preset if key not in known] + [key for pair in deeper for key in unknown(*pair)]

    assert unknown(yaml.safe_load((ROOT / "values" / f"{name}.yaml").read_text(encoding="utf-8")), defaults) == []
