"""What an index shows of the package is complete, and the wheel holds this project's packages and nothing else."""

import email
import re
import sys
import zipfile
from pathlib import Path

from conftest import ROOT, run, succeeded

PACKAGES = {
    "command_line",
    "triton_contract",
    "example_files",
    "model_repo_builder",
    "slo_tuner",
    "tfserving_front",
    "image_client",
}


def test_sdist_and_wheel_are_as_an_index_wants_them(wheel: Path) -> None:
    files = sorted(wheel.parent.iterdir())
    assert [file.suffix for file in files] == [".whl", ".gz"] or [file.suffix for file in files] == [".gz", ".whl"]
    succeeded(run([sys.executable, "-m", "twine", "check", "--strict", *files]))


def test_the_metadata_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} == {
        one.partition(",")[0] for one in metadata.get_all("Project-URL", [])
    }
    links = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert len(links) > 20 and not [link for link in links if not link.startswith(("https://", "#"))]
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["Keywords"]
    assert "Programming Language :: Python :: 3.12" in metadata.get_all("Classifier", [])
    extras = {"builder", "tuner", "front", "image-client", "server", "s3", "gs", "language"}
    assert extras <= set(metadata.get_all("Provides-Extra", []))


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    written = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == written


def test_the_sdist_holds_nothing_that_is_large(wheel: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    assert sdist.stat().st_size < 2_000_000
