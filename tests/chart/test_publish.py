"""Packaging and publishing, against a real registry: what is pulled renders as the source does."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chart_package
import chart_publish
import pytest
from registry import serve_registry
from render import ROOT, render, tools
from umbrella import REPOSITORY, stand_in

VALUES = {
    "triton": REPOSITORY,
    "locust": {"target": {"address": "triton:8001"}},
    "inference-system": {"triton": REPOSITORY},
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("packages")
    chart_package.run_helm("package", stand_in(folder / "stand-in"), "--destination", folder / "downloaded")
    return chart_package.package(folder / "out", folder / "downloaded")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of an empty registry of its own."""
    with serve_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def pull(reference: str, folder: Path) -> Path:
    name, _, version = reference.rpartition(":")
    command = [
        str(tools.helm()),
        "pull",
        name,
        "--version",
        version,
        "--plain-http",
        "--untar",
        "--untardir",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return folder / name.rpartition("/")[2]


def test_a_version_may_hold_dashes(tmp_path: Path) -> None:
    chart_package.run_helm("package", ROOT / "charts/locust", "--version", "0.2.0-rc.1-a", "--destination", tmp_path)
    (archive,) = tmp_path.glob("*.tgz")
    assert chart_publish.name_and_version(archive) == ("locust", "0.2.0-rc.1-a")


def test_a_package_that_is_none_ends_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "triton-0.1.0.tgz").write_text("nothing")
    assert chart_publish.main(["oci://registry.example/charts", "--packages", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "helm show chart" in said and said.count("\n") == 1


@pytest.mark.external
def test_what_is_pulled_renders_as_the_source(packages: list[Path], registry: str, tmp_path: Path) -> None:
    pushed = chart_publish.publish(packages, f"oci://{registry}/charts", plain_http=True)
    assert [reference.rpartition("/")[2].partition(":")[0] for reference in pushed] == list(VALUES)
    for reference, archive in zip(pushed, packages, strict=True):
        chart = pull(reference, tmp_path / "pulled")
        source = ROOT / "charts" / chart.name
        if chart.name == "inference-system":  # its source has no dependencies inside
            shutil.unpack_archive(archive, tmp_path / "packed", "gztar")
            source = tmp_path / "packed" / chart.name
        values = VALUES[chart.name]
        assert render(values, chart=chart) == render(values, chart=source) != []


@pytest.mark.external
def test_publishing_again_changes_nothing(packages: list[Path], registry: str) -> None:
    target = f"oci://{registry}/again"
    assert len(chart_publish.publish(packages, target, plain_http=True)) == 3
    assert chart_publish.publish(packages, target, plain_http=True) == []


@pytest.mark.external
def test_a_published_version_is_never_replaced(packages: list[Path], registry: str, tmp_path: Path) -> None:
    target = f"oci://{registry}/once"
    chart_publish.publish(packages[:1], target, plain_http=True)
    shutil.copytree(ROOT / "charts/triton", tmp_path / "triton")
    (tmp_path / "triton/templates/NOTES.txt").write_text("other\n")
    chart_package.run_helm("package", tmp_path / "triton", "--destination", tmp_path)
    with pytest.raises(chart_package.PackagingError, match="published already with other content"):
        chart_publish.publish([tmp_path / packages[0].name], target, plain_http=True)


@pytest.mark.external
def test_the_command_names_what_it_published(
    packages: list[Path], registry: str, capsys: pytest.CaptureFixture
) -> None:
    folder = str(packages[0].parent)
    assert chart_publish.main([f"oci://{registry}/command", "--packages", folder, "--plain-http"]) == 0
    assert f"oci://{registry}/command/triton:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["oci://x", "--packages", "/nowhere"], "holds no *.tgz"),
        (["https://x", "--packages", "{}"], "https://x: oci://REGISTRY/PATH is allowed"),
        (["oci://", "--packages", "{}"], "oci://: oci://REGISTRY/PATH is allowed"),
    ],
)
def test_wrong_arguments_end_with_one_line(
    packages: list[Path], arguments: list[str], reason: str, capsys: pytest.CaptureFixture
) -> None:
    filled = [argument.format(packages[0].parent) for argument in arguments]
    assert chart_publish.main(filled) == 1
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1


def test_the_umbrella_is_packaged_with_its_dependencies(packages: list[Path], tmp_path: Path) -> None:
    shutil.unpack_archive(packages[2], tmp_path, "gztar")
    inside = {path.name for path in (tmp_path / "inference-system/charts").iterdir()}
    assert inside == {"triton", "locust", "kube-prometheus-stack"}


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    with pytest.raises(chart_package.PackagingError, match=r"lacks kube-prometheus-stack-\d+\.\d+\.\d+\.tgz"):
        chart_package.package(tmp_path / "out", tmp_path)


def test_packages_hold_no_test_values_and_no_generator_leftovers(packages: list[Path], tmp_path: Path) -> None:
    shutil.unpack_archive(packages[0], tmp_path, "gztar")
    names = {path.name for path in (tmp_path / "triton").iterdir()}
    assert names == {
        "Chart.yaml",
        "README.md",
        ".helmignore",
        "values.yaml",
        "values.schema.json",
        "templates",
        "files",
    }
