"""Ranges for users, one tested version of each package for the rest, and nothing is imported that no extra has."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from command_line.extras import DISTRIBUTIONS

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("requirements", ROOT / "ci" / "requirements.py")
assert _SPEC is not None and _SPEC.loader is not None
requirements = importlib.util.module_from_spec(_SPEC)
sys.modules["requirements"] = requirements
_SPEC.loader.exec_module(requirements)

PROJECT = requirements.content()
EXTRAS = PROJECT["project"]["optional-dependencies"]
BASE = {requirements.package(one) for one in PROJECT["project"]["dependencies"]}

# What a package imports, and by which requirements it gets it: its command's extra, and those of special work.
COMMANDS = {
    "slo_tuner": ("tuner", "parquet"),
    "tfserving_front": ("front",),
    "image_client": ("image-client",),
    "model_repo_builder": ("builder", "language", "s3", "gs"),
}
GROUND = {"command_line", "triton_contract", "example_files"}
# By another name than it is installed by.
INSTALLED_BY = {
    **DISTRIBUTIONS,
    # Parts of TensorFlow, of uvicorn, and of the clients of object storage.
    "keras": "tensorflow",
    "h11": "uvicorn",
    "fsspec": "s3fs",
}
# Not from an extra: it comes with the GPU's image; it is there inside of tritonserver alone.
ELSEWHERE = {"tensorrt", "triton_python_backend_utils"}


def _imported(package: str) -> set[str]:
    """The packages of others that a package imports, anywhere in it."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(COMMANDS) - GROUND - ELSEWHERE


@pytest.mark.parametrize("package", COMMANDS)
def test_a_command_s_extra_has_all_that_it_imports(package: str) -> None:
    names = {requirements.package(one) for extra in COMMANDS[package] for one in requirements.listed(extra, PROJECT)}
    # Stand beside the code and are imported only by what runs on a server.
    local = {path.stem for path in (ROOT / package).rglob("*.py")}
    missing = {INSTALLED_BY.get(one, one) for one in _imported(package) - local} - names - BASE
    assert missing == set()


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_tested_version_is_within_what_an_extra_allows(extra: str) -> None:
    pins = requirements.pins()
    for line in requirements.listed(extra, PROJECT):
        wanted = Requirement(line)
        assert wanted.specifier.contains(pins[requirements.package(line)]), line


def test_every_pin_is_of_something_that_an_extra_asks_for() -> None:
    asked = {requirements.package(one) for extra in EXTRAS for one in requirements.listed(extra, PROJECT)}
    assert set(requirements.pins()) == asked


def test_no_package_has_a_version_in_two_places() -> None:
    lines = [one for name in PROJECT["dependency-groups"] for one in requirements.listed(name, PROJECT)]
    exact = {requirements.package(one) for one in lines if Requirement(one).specifier}
    assert exact & set(requirements.pins()) == set()


def test_sessions_and_images_get_the_tested_versions() -> None:
    assert requirements.requirements(["tritonserver"]) == ["nvidia-pytriton==0.7.0"]
    assert "tensorflow==2.17.1" in requirements.requirements(["builder"])
    on_cpu = requirements.requirements(["builder"], cpu=True)
    assert "tensorflow-cpu==2.17.1" in on_cpu and "tensorflow==2.17.1" not in on_cpu


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_what_a_base_image_brings_is_left_out_by_either_name(name: str) -> None:
    left = requirements.requirements(["builder"], cpu=True, without=[name, "numpy", "protobuf"])
    assert not any(one.startswith(("tensorflow", "numpy", "protobuf")) for one in left)


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["absent"]) == 2
    assert capsys.readouterr().err == "pyproject.toml has no extra and no dependency group 'absent'\n"


def test_the_session_of_installation_tests_finds_them_with_its_own_packages_alone() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (session,) = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "install_tests")
    texts = [[arg.value for arg in one.args if isinstance(arg, ast.Constant)] for one in _calls(session)]
    (arguments,) = ([str(text) for text in given[1:]] for given in texts if given[:1] == ["pytest"])
    groups = PROJECT["dependency-groups"]
    has = {requirements.package(one) for name in ("package", "install-tests") for one in groups[name]}
    lacks = {requirements.package(one).replace("-", "_") for one in groups["tests"]} - has
    without = f"import sys; sys.modules.update(dict.fromkeys({sorted(lacks)}))"
    code = f"{without}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *arguments, "--collect-only"]
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    found = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert found.returncode == 0, found.stdout


def _calls(function: ast.FunctionDef) -> list[ast.Call]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Call)]
