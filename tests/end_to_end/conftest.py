"""The tiny model repository and the commands, each in its own environment, as a user runs them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]


def _python(name: str) -> str:
    """The interpreter of another environment, which `nox -s tests` names."""
    python = os.environ.get(name)
    assert python, f"{name} is not set: run these tests by `nox -s tests`"
    return str((ROOT / python).absolute())


def run_tuner(arguments: Sequence[str], timeout_s: float = 180.0) -> Completed:
    """Run slo-tuner with the real command line."""
    command = [str(Path(sys.executable).with_name("slo-tuner")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="session")
def server_python() -> str:
    """The python3 of the server's environment."""
    return _python("SERVER_PYTHON")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/tiny.yaml, built."""
    output = tmp_path_factory.mktemp("built") / "models"
    builder = Path(_python("BUILDER_PYTHON")).with_name("model-repo-builder")
    command = [str(builder), "build", str(ROOT / "plans" / "tiny.yaml"), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return output
