"""Packages the charts, the umbrella with its dependencies inside.

    python ci/chart_package.py [--output DIR] [--dependencies DIR] [--image NAME=REFERENCE@sha256:DIGEST]...
                               [--images FILE] [--sign-by-environment]
                               [--sign KEY --keyring FILE [--passphrase-file FILE] [--public-key-url URL]]

`--dependencies` names a directory with downloaded archives (kube-prometheus-stack-VERSION.tgz), for machines
that don't reach the chart's repository; without it Helm downloads them. `--image` names an image of the product by
its digest, `--images` a file with a line for each. `--sign` writes a signed provenance beside each archive, which
`helm push` takes along; `--sign-by-environment` does it by the key in a workflow's secrets (chart_signing.py).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import chart_images
import chart_signing
import yaml
from chart_signing import Signature
from tools import ToolMissing, helm

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("triton", "locust")
UMBRELLA = "inference-system"


class PackagingError(Exception):
    """A chart can't be packaged; the message is Helm's or names what is missing."""


def package(
    output: Path,
    dependencies: Path | None = None,
    *,
    images: Mapping[str, chart_images.Pinned] | None = None,
    signature: Signature | None = None,
    charts: Path = ROOT / "charts",
) -> list[Path]:
    """Archives of all charts in `output`, the parts first, all of them or none. Nothing is written into `charts`."""
    with tempfile.TemporaryDirectory() as name:
        copy, made = Path(name) / "charts", Path(name) / "packages"
        shutil.copytree(charts, copy, ignore=shutil.ignore_patterns("charts"))
        pinned = set().union(*(chart_images.pin(copy / part, images or {}) for part in PARTS))
        if unknown := sorted(set(images or {}) - pinned):
            raise PackagingError(f"--image names {unknown[0]}, which no chart has")
        for chart in (*PARTS, UMBRELLA):
            _annotate(copy / chart, signature)
        archives = [_package(copy / part, made, signature) for part in PARTS]
        _bring_dependencies(copy / UMBRELLA, archives, dependencies)
        archives.append(_package(copy / UMBRELLA, made, signature))
        output.mkdir(parents=True, exist_ok=True)
        for file in made.iterdir():
            shutil.copy(file, output)
    return [output / archive.name for archive in archives]


def run_helm(*arguments: str | Path, **environment: str) -> str:
    """What Helm prints. PackagingError with its message when it fails."""
    command = [str(helm()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    if done.returncode:
        raise PackagingError(f"helm {' '.join(command[1:])}: {done.stderr.strip()}")
    return done.stdout


def _annotate(chart: Path, signature: Signature | None) -> None:
    """Tells in Chart.yaml, whose annotations come last, which key has signed the package."""
    if signature is None or not signature.public_key_url:
        return
    path = chart / "Chart.yaml"
    block = f"fingerprint: {signature.fingerprint}\n    url: {signature.public_key_url}"
    text = re.sub(r"(?m)^annotations:\n", f"annotations:\n  artifacthub.io/signKey: |\n    {block}\n", path.read_text())
    path.write_text(text)


def _package(chart: Path, output: Path, signature: Signature | None = None) -> Path:
    run_helm("package", chart, "--destination", output, *(signature.options if signature else []))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Packages the charts.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "charts")
    parser.add_argument("--dependencies", type=Path, help="directory with downloaded archives of other charts")
    parser.add_argument("--image", action="append", default=[], metavar="NAME=REFERENCE", help="an image by its digest")
    parser.add_argument("--images", type=Path, help="a file of such lines, as ci/build_images.py --digests writes")
    parser.add_argument("--sign", metavar="KEY", help="signs the packages: a part of the key's user ID")
    parser.add_argument("--keyring", type=Path, help="the keyring that holds it, as `gpg --export-secret-keys` writes")
    parser.add_argument("--passphrase-file", type=Path, help="a file with the key's passphrase")
    parser.add_argument("--public-key-url", default="", help="where the public key is, for Artifact Hub")
    parser.add_argument(
        "--sign-by-environment",
        action="store_true",
        help="signs by CHART_KEY, CHART_KEYRING (base64), CHART_PASSPHRASE and CHART_KEY_URL",
    )
    return parser


def _signature(chosen: argparse.Namespace) -> AbstractContextManager[Signature | None]:
    if chosen.sign_by_environment:
        return chart_signing.of_environment(os.environ)
    if not chosen.sign:
        return nullcontext()
    return nullcontext(Signature(chosen.sign, chosen.keyring, chosen.passphrase_file, chosen.public_key_url))


def main(arguments: list[str]) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if bool(chosen.sign) != bool(chosen.keyring):
        parser.error("--sign and --keyring belong together")
    if chosen.sign and chosen.sign_by_environment:
        parser.error("--sign and --sign-by-environment exclude one another")
    try:
        listed = chosen.images.read_text(encoding="utf-8").split() if chosen.images else []
        images = chart_images.parse([*listed, *chosen.image])
        with _signature(chosen) as signature:
            for archive in package(chosen.output, chosen.dependencies, images=images, signature=signature):
                print(archive)
    except (PackagingError, ToolMissing, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
