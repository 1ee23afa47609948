"""Packages the charts, the umbrella with its dependencies inside.

    python ci/chart_package.py [--output DIR] [--dependencies DIR]

`--dependencies` names a directory with downloaded archives (kube-prometheus-stack-VERSION.tgz), for machines
that don't reach the chart's repository; without it Helm downloads them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from tools import ToolMissing, helm

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("triton", "locust")
UMBRELLA = "inference-system"


class PackagingError(Exception):
    """A chart can't be packaged; the message is Helm's or names what is missing."""


def package(output: Path, dependencies: Path | None = None, charts: Path = ROOT / "charts") -> list[Path]:
    """Archives of all charts in `output`, the parts first. Nothing is written into `charts`."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "charts"
        shutil.copytree(charts, copy, ignore=shutil.ignore_patterns("charts"))
        archives = [_package(copy / part, output) for part in PARTS]
        _bring_dependencies(copy / UMBRELLA, archives, dependencies)
        return [*archives, _package(copy / UMBRELLA, output)]


def run_helm(*arguments: str | Path, **environment: str) -> str:
    """What Helm prints. PackagingError with its message when it fails."""
    command = [str(helm()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    if done.returncode:
        raise PackagingError(f"helm {' '.join(command[1:])}: {done.stderr.strip()}")
    return done.stdout


def _package(chart: Path, output: Path) -> Path:
    run_helm("package", chart, "--destination", output)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    return output / f"{about['name']}-{about['version']}.tgz"


def _bring_dependencies(umbrella: Path, parts: list[Path], downloaded: Path | None) -> None:
    """Fills the umbrella's charts/ as its Chart.lock says."""
    about = yaml.safe_load((umbrella / "Chart.yaml").read_text(encoding="utf-8"))
    if downloaded is None:
        _download(umbrella, [one["repository"] for one in about["dependencies"]])
        return
    (umbrella / "charts").mkdir()
    for one in about["dependencies"]:
        archive = f"{one['name']}-{one['version']}.tgz"
        source = next((path for path in (*parts, downloaded / archive) if path.name == archive and path.exists()), None)
        if source is None:
            raise PackagingError(f"{downloaded} lacks {archive}")
        shutil.copy(source, umbrella / "charts")


def _download(umbrella: Path, repositories: list[str]) -> None:
    """`helm dependency build` knows only repositories that were added: to a list of its own, not the user's."""
    with tempfile.TemporaryDirectory() as name:
        own = {"HELM_REPOSITORY_CONFIG": f"{name}/repositories.yaml", "HELM_REPOSITORY_CACHE": f"{name}/cache"}
        for number, repository in enumerate(one for one in repositories if one.startswith("http")):
            run_helm("repo", "add", f"repository-{number}", repository, **own)
        run_helm("dependency", "build", umbrella, **own)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Packages the charts.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "charts")
    parser.add_argument("--dependencies", type=Path, help="directory with downloaded archives of other charts")
    chosen = parser.parse_args(arguments)
    try:
        for archive in package(chosen.output, chosen.dependencies):
            print(archive)
    except (PackagingError, ToolMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
