"""The images: named as the charts ask for them, their versions those of constraints.txt."""

import re

import build_images
import pytest
import requirements
from cases import PLAN
from render import ROOT, one, render

DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))


def test_charts_ask_for_images_that_are_built() -> None:
    built = {build_images.image(name) for name in build_images.NAMES}
    values = {"modelRepository": {"builder": {"plan": PLAN}}}
    pod = one(render(values, files=["cpu", "tfserving-front"]), "Deployment")["spec"]["template"]["spec"]
    asked = {container["image"] for container in pod["containers"] + pod["initContainers"]}
    asked |= {one(render(values, files=["cpu", "tfserving-front"]), "Pod", "-test")["spec"]["containers"][0]["image"]}
    assert asked == built


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_no_version_of_a_package_stands_in_a_dockerfile(path: object) -> None:
    assert re.findall(r"[a-z0-9-]+==[0-9.]+", path.read_text()) == []


def test_an_extra_brings_the_extras_that_it_includes() -> None:
    wanted = requirements.requirements(["tuner"])
    assert set(requirements.requirements(["triton-protocol"])) < set(wanted)


def test_what_the_base_image_brings_is_left_out() -> None:
    names = [requirements.package(one) for one in requirements.requirements(["frameworks"], cpu=True)]
    left = requirements.requirements(["frameworks"], cpu=True, without=["tensorflow_cpu"])
    assert sorted({*names} - {"tensorflow-cpu"}) == sorted(map(requirements.package, left))


def test_an_unknown_group_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["nothing"]) == 2
    assert "no dependency group 'nothing'" in capsys.readouterr().err
