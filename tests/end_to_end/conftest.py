"""The tiny model repository and the commands, each in its own environment, as a user runs them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from child_output import ChildOutput

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]
MEASURED = (0, 3, 4)
"""Exit codes of a command that has measured: what it found depends on how busy the machine is."""


def python_of(name: str) -> str:
    """The interpreter of another environment, which `nox -s server_tests` names."""
    python = os.environ.get(name)
    assert python, f"{name} is not set: run these tests by `nox -s server_tests`"
    return str((ROOT / python).absolute())


def build_plan(plan: Path, output: Path) -> Path:
    """The model repository that a plan makes, at `output`."""
    builder = Path(python_of("BUILDER_PYTHON")).with_name("model-repo-builder")
    command = [str(builder), "build", str(plan), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return output


def run_in_builder_env(script: str, *arguments: str) -> None:
    """Run a script of this folder in the builder's environment; AssertionError, with its last words, where it fails."""
    command = [python_of("BUILDER_PYTHON"), str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def run_tuner(
    arguments: Sequence[str], timeout_s: float = 180.0, environment: Mapping[str, str] | None = None
) -> Completed:
    """Run slo-tuner with the real command line, and with these variables besides those of the tests."""
    command = [str(Path(sys.executable).with_name("slo-tuner")), *arguments]
    env = os.environ | dict(environment or {})
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=env)


@contextmanager
def started(
    program: str, arguments: Sequence[str], until: str, deadline_s: float = 240.0
) -> Iterator[tuple[ChildOutput, str]]:
    """A program of this project in the background, once a line of its output matches `until`; its output up to then."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
    output = ChildOutput(process)
    try:
        yield output, output.until(re.compile(until), deadline_s)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        output.close()


def http_request(method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
    """One HTTP request by a connection that is closed: a server that ends would wait for one that is kept open."""
    return urllib3.request(method, url, headers={"Connection": "close"}, **options)


@pytest.fixture(scope="session")
def server_python() -> str:
    """The python3 of the server's environment."""
    return python_of("SERVER_PYTHON")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/tiny.yaml, built."""
    return build_plan(ROOT / "plans" / "tiny.yaml", tmp_path_factory.mktemp("built") / "models")
