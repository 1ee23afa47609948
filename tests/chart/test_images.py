"""The images: named as the charts ask for them, their versions those of constraints.txt."""

import re
import shlex
import sys
from pathlib import Path

import build_images
import chart_images
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


# What `docker buildx build --push --metadata-file FILE` does with that file.
PUSHES = """
import json, pathlib, sys
file = pathlib.Path(sys.argv[sys.argv.index("--metadata-file") + 1])
file.write_text(json.dumps({"containerimage.digest": "sha256:" + 64 * "a"}))
"""


def test_the_digests_of_pushed_images_are_what_a_chart_is_packaged_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pushes.py").write_text(PUSHES)
    monkeypatch.setenv("IMAGE_BUILD", shlex.join([sys.executable, str(tmp_path / "pushes.py")]))
    file = tmp_path / "dist" / "images.txt"
    assert build_images.main(["--prefix", "ghcr.io/Some/Product", "--digests", str(file)]) == 0
    pinned = chart_images.parse(file.read_text().split())
    assert {name: one.reference for name, one in pinned.items()} == {
        name: f"ghcr.io/some/product/{name}@sha256:{64 * 'a'}" for name in build_images.NAMES
    }


def test_a_builder_that_does_not_push_leaves_no_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGE_BUILD", "true")
    file = tmp_path / "images.txt"
    assert build_images.main(["locust", "--prefix", "a.example", "--digests", str(file)]) == 1
    assert capsys.readouterr().err.startswith(
        "locust was not built: its builder tells no digest: IMAGE_BUILD must push"
    )
    assert not file.exists()


def test_a_builder_that_fails_is_told_as_a_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGE_BUILD", "false")
    assert build_images.main(["locust"]) == 1
    assert capsys.readouterr().err == (
        f"locust was not built: false --file images/locust/Dockerfile --tag {build_images.image('locust')} .: "
        "exit status 1\n"
    )


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
