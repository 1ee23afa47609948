"""What a workflow runs is a session of the noxfile, with few rights and pinned actions; a release is of one version."""

import copy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "ci"))
import release_check  # noqa: E402
import workflows  # noqa: E402

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GOOD: dict[str, Any] = {
    "permissions": {"contents": "read"},
    "jobs": {
        "a": {
            "timeout-minutes": 5,
            "steps": [{"uses": "actions/checkout@v5"}, {"run": "python -m nox -s tests -- -x"}],
        }
    },
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_runs_only_sessions_of_this_project(file: Path) -> None:
    assert list(workflows.problems(file.name, yaml.safe_load(file.read_text()), workflows.sessions())) == []


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"run": "python -m nox -s absent"}, "run: session 'absent'; allowed: "),
        ({"run": "make"}, "run: 'make'; allowed: "),
        ({"run": "python -m nox -s tests\nmake"}, "allowed: "),
        ({"uses": "actions/checkout@main"}, "uses: actions/checkout@main; allowed: an action at its major version"),
        ({"uses": "actions/checkout"}, "uses: actions/checkout; allowed: "),
    ],
)
def test_a_step_that_is_no_session_is_named(step: dict[str, str], problem: str) -> None:
    broken = copy.deepcopy(GOOD)
    broken["jobs"]["a"]["steps"].append(step)
    (line,) = workflows.problems("w.yml", broken, {"tests"})
    assert line.startswith("w.yml: a: ") and problem in line


@pytest.mark.parametrize("missing", ["permissions", "timeout-minutes"])
def test_a_workflow_without_its_limits_is_named(missing: str) -> None:
    broken = copy.deepcopy(GOOD)
    broken.pop(missing, None)
    broken["jobs"]["a"].pop(missing, None)
    (line,) = workflows.problems("w.yml", broken, {"tests"})
    assert f"{missing}: missing; allowed: " in line


def test_sessions_have_the_names_that_nox_gives_them() -> None:
    assert {"tests", "package", "install_tests"} <= workflows.sessions()


def test_a_session_may_have_another_name_than_its_function(tmp_path: Path) -> None:
    (tmp_path / "noxfile.py").write_text(
        "@nox.session(name='b')\ndef a(s): ...\n@nox.session\ndef c(s): ...\ndef d(): ...\n"
    )
    assert workflows.sessions(tmp_path / "noxfile.py") == {"b", "c"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """What a release is made of, of this revision, with a date in the changelog."""
    shutil.copytree(ROOT / "command_line", tmp_path / "command_line", ignore=shutil.ignore_patterns("__pycache__"))
    for chart in (ROOT / "charts").glob("*/Chart.yaml"):
        (tmp_path / "charts" / chart.parent.name).mkdir(parents=True)
        shutil.copy(chart, tmp_path / "charts" / chart.parent.name)
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nHomepage = "https://git.company.io/system"\n')
    (tmp_path / "README.md").write_text("helm install triton oci://registry.company.io/system/triton\n")
    number = release_check.version(ROOT)
    (tmp_path / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## {number} (2026-01-31)\n\n- New.\n\n## 0.0.1 (2025-01-01)\n"
    )
    return tmp_path


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_this_revision_is_of_one_release() -> None:
    assert list(release_check.problems(ROOT, None)) == []


def test_a_release_whose_parts_agree_is_let_through(release: Path) -> None:
    assert list(release_check.problems(release, f"v{release_check.version(release)}")) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("charts/triton/Chart.yaml", "\nversion: 0", "\nversion: 9", "charts/triton/Chart.yaml: version: 9"),
        ("charts/locust/Chart.yaml", 'appVersion: "0', 'appVersion: "9', "charts/locust/Chart.yaml: appVersion: 9"),
        ("charts/inference-system/Chart.yaml", "    version: 0", "    version: 9", "dependencies.triton: 9"),
        ("CHANGELOG.md", "(2026-01-31)", "(unreleased)", "(unreleased); allowed: its date"),
        ("CHANGELOG.md", "- New.", "", "CHANGELOG.md: no section"),
        ("pyproject.toml", "git.company.io", "git.example", "pyproject.toml: https://git.example/system; allowed: "),
        ("pyproject.toml", "company.io/", "company.io/OWNER/", "pyproject.toml: https://git.company.io/OWNER/system"),
        ("README.md", "registry.company.io/", "REGISTRY/", "README.md: oci://REGISTRY/system/triton; allowed: "),
    ],
)
def test_a_part_of_another_release_is_named(file: str, old: str, new: str, problem: str, release: Path) -> None:
    _replace(release / file, old, new)
    (line,) = release_check.problems(release, f"v{release_check.version(release)}")
    assert problem in line


@pytest.mark.parametrize(
    ("address", "stands_for_another"),
    [
        ("https://example.com/key.asc", True),
        ("https://docs.example.org", True),
        ("https://localhost:8000/a", True),
        ("https://github.com/OWNER/system", True),
        ("https://github.com/owner/system/blob/main/CHANGELOG.md", False),
        ("https://locust.io", False),
        ("https://an-example.com", False),
    ],
)
def test_an_address_that_nobody_can_have_is_known(address: str, stands_for_another: bool) -> None:
    assert release_check.is_placeholder(address) is stands_for_another


def test_a_tag_of_another_version_is_named(release: Path) -> None:
    (line,) = release_check.problems(release, "v9.9.9")
    assert line.startswith("tag: v9.9.9; allowed: v")
