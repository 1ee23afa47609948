"""Renders a chart with Helm, as a user would, into a list of manifests."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "ci"))

import tools  # noqa: E402  (ci/ is no package; its tools are shared with the nox sessions)

Manifest = dict[str, Any]
# The C parser reads a large dashboard ten times faster.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Quoting(yaml.SafeDumper):
    """Writes strings in quotes, as Helm's YAML takes `y` for a truth value, and JSON's surrogate pairs for errors."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


class HelmRefused(Exception):  # noqa: N818
    """Helm did not render; the message is its error output."""

    @property
    def deliberate(self) -> bool:
        """Whether the schema or a template refused the values; Helm says "error calling" where a template is broken."""
        reasons = ("specifications of the schema", "execution error at (")
        return any(reason in str(self) for reason in reasons)


def render(
    values: Mapping[str, Any] | None = None,
    *,
    chart: str | Path = "triton",
    files: Iterable[str] = (),
    release: str = "demo",
    namespace: str = "inference",
    kube_version: str = "1.34.0",
) -> list[Manifest]:
    """The manifests of a chart, hooks included, for values and values files (names below values/, without suffix).

    `chart` is a name below charts/ or a path. HelmRefused holds what Helm says when it does not render.
    Each case is rendered once; the caller gets a copy.
    """
    path = chart if isinstance(chart, Path) else ROOT / "charts" / chart
    paths = tuple(str(ROOT / "values" / f"{name}.yaml") for name in files)
    text = _template(str(path), yaml.dump(dict(values or {}), Dumper=_Quoting), paths, release, namespace, kube_version)
    return [manifest for manifest in yaml.load_all(text, Loader=Loader) if manifest]


@functools.cache
def _template(chart: str, values: str, files: tuple[str, ...], release: str, namespace: str, kube_version: str) -> str:
    command = [str(tools.helm()), "template", release, chart, "--namespace", namespace, "--kube-version", kube_version]
    for file in files:
        command += ["--values", file]
    command += ["--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise HelmRefused(done.stderr.strip())
    return done.stdout


def one(manifests: list[Manifest], kind: str, suffix: str = "") -> Manifest:
    """The single manifest of a kind, or of a kind and an end of its name. AssertionError names what is there."""
    found = [item for item in manifests if item["kind"] == kind and item["metadata"]["name"].endswith(suffix)]
    there = [f"{item['kind']}/{item['metadata']['name']}" for item in manifests]
    assert len(found) == 1, f"expected one {kind} *{suffix}, found {len(found)} in {there}"
    return found[0]


def kinds(manifests: list[Manifest]) -> list[str]:
    """The kinds of the manifests, sorted."""
    return sorted(item["kind"] for item in manifests)
