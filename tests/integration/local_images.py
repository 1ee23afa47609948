"""Images of the local engine: builds them, makes them usable in the cluster. README.md has the variables."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster import run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMEOUT_S = 600


def load(*names: str) -> None:
    """Makes images usable in the cluster."""
    run([*shlex.split(os.environ.get("IMAGE_LOAD", "kind load docker-image")), *names], timeout_s=TIMEOUT_S)


def build_repository(name: str, models: Iterable[Path]) -> None:
    """An image that stands for a model builder which has already built these models (their directories)."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(HERE / "repository", context, dirs_exist_ok=True)
        for model in models:
            shutil.copytree(model, context / "models" / model.name)
        _build(name, folder)


def build_gateway(name: str) -> None:
    """The image of `gateway`."""
    _build(name, "--file", str(HERE / "gateway" / "Dockerfile"), str(ROOT))


def build_rollouts(name: str, programs: Mapping[str, Path]) -> None:
    """The image of `rollouts`, of the controller and its plugin, by the names that they have there."""
    _build_programs("rollouts", name, programs)


def build_http_addon(name: str, programs: Mapping[str, Path]) -> None:
    """The image of `http_addon`, of the add-on's three programs."""
    _build_programs("http_addon", name, programs)


def _build_programs(directory: str, name: str, programs: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(HERE / directory / "Dockerfile", folder)
        for program, path in programs.items():
            shutil.copy(path, Path(folder) / program)
            (Path(folder) / program).chmod(0o755)
        _build(name, folder)


def _build(name: str, *arguments: str) -> None:
    command = shlex.split(os.environ.get("IMAGE_BUILD", "docker build"))
    command += shlex.split(os.environ.get("IMAGE_BUILD_ARGS", ""))
    run([*command, "--quiet", "--tag", name, *arguments], timeout_s=TIMEOUT_S)
