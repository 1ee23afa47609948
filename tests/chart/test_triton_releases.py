"""The table of releases: it knows the plans of this repository, and the README shows what it says."""

from typing import Any

import pytest
import yaml
from cases import URL, at, with_values
from render import ROOT, render

CHART = ROOT / "charts" / "triton"
TABLE: dict[str, Any] = yaml.safe_load((CHART / "files" / "releases.yaml").read_text(encoding="utf-8"))
LADDERS = ("resnet50-t4", "resnet50-cpu")


def test_each_variant_of_the_ladders_has_the_engine_of_its_plan() -> None:
    found = {}
    for name in LADDERS:
        plan = yaml.safe_load((ROOT / "plans" / f"{name}.yaml").read_text(encoding="utf-8"))
        found |= {one["name"]: one.get("engine", plan["defaults"].get("engine")) for one in plan["variants"]}
    assert TABLE["variants"] == found


def test_each_engine_of_the_builder_has_its_backend() -> None:
    source = (ROOT / "model_repo_builder" / "engines" / "__init__.py").read_text(encoding="utf-8")
    assert all(f"{engine}.ENGINE" in source for engine in TABLE["engines"])
    assert source.count(".ENGINE") == len(TABLE["engines"])
    assert {one["backend"] for one in TABLE["engines"].values()} == set(TABLE["backends"])


def test_the_readme_shows_the_table() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    for engine, facts in TABLE["engines"].items():
        last = TABLE["backends"][facts["backend"]]["last"]
        assert f"| `{engine}` | {facts['backend']} | {f'to {last}' if last else 'every'} | {facts['gpu']} |" in readme
    assert f"From {TABLE['drainsGrpcFrom']} on" in readme


@pytest.mark.parametrize("tag", ["0.1.0", "my-26.03-py3", "26.03", ""])
def test_an_image_of_another_kind_is_nobody_s_business_but_its_owner_s(tag: str) -> None:
    assert render(with_values(URL, at("image.tag", tag)))


def test_another_repository_and_a_digest_are_not_judged_by_the_tag() -> None:
    for image in ({"repository": "triton-cpu"}, {"digest": "sha256:" + "0" * 64}):
        assert render(with_values(URL, {"image": {"tag": "26.03-py3", **image}}))
