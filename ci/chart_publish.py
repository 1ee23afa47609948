"""Publishes packaged charts to an OCI registry.

    python ci/chart_publish.py oci://REGISTRY/PATH [--packages DIR] [--plain-http]

Logging in comes before: `helm registry login REGISTRY`. A version that the registry has already with other
content is refused: who installed it would get something else under the same name.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml
from chart_package import ROOT, PackagingError, run_helm
from tools import ToolMissing


def publish(packages: list[Path], target: str, *, plain_http: bool = False) -> list[str]:
    """Pushes archives to `oci://…`; returns the references, as `oci://…/triton:0.1.0`, of those that were new."""
    if not target.removeprefix("oci://").strip("/") or not target.startswith("oci://"):
        raise PackagingError(f"{target}: oci://REGISTRY/PATH is allowed")
    transport = ["--plain-http"] if plain_http else []
    new = []
    for archive in packages:
        name, version = name_and_version(archive)
        reference = f"{target.rstrip('/')}/{name}"
        present = _pulled(reference, version, transport)
        if present is not None and present != _content(archive):
            raise PackagingError(f"{reference}:{version} is published already with other content: raise its version")
        if present is None:
            new.append((archive, f"{reference}:{version}"))
    # Only when none is refused.
    for archive, _ in new:
        run_helm("push", archive, target, *transport)
    return [reference for _, reference in new]


def name_and_version(archive: Path) -> tuple[str, str]:
    """As its Chart.yaml says: both may hold dashes, so the file's name does not tell them apart."""
    about = yaml.safe_load(run_helm("show", "chart", archive))
    return about["name"], about["version"]


def _pulled(reference: str, version: str, transport: list[str]) -> dict[str, str] | None:
    """The content that the registry has for a version, or None."""
    with tempfile.TemporaryDirectory() as name:
        try:
            run_helm("pull", reference, "--version", version, "--destination", name, *transport)
        except PackagingError as error:
            if "not found" in str(error) or "manifest unknown" in str(error):
                return None
            raise
        return _content(next(Path(name).glob("*.tgz")))


def _content(archive: Path) -> dict[str, str]:
    """Check sums by path: two archives of the same files differ in their time stamps."""
    with tarfile.open(archive) as tar:
        files = [member for member in tar.getmembers() if member.isfile() and not member.name.endswith(".tgz")]
        streams = {member.name: tar.extractfile(member) for member in files}
        return {name: hashlib.sha256(stream.read()).hexdigest() for name, stream in streams.items() if stream}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Publishes packaged charts to an OCI registry.")
    parser.add_argument("target", help="oci://REGISTRY/PATH")
    parser.add_argument("--packages", type=Path, default=ROOT / "dist" / "charts")
    parser.add_argument("--plain-http", action="store_true", help="for a registry without TLS, as in tests")
    chosen = parser.parse_args(arguments)
    packages = sorted(chosen.packages.glob("*.tgz"))
    # Registries know only small letters; names of repositories on a code host may have others.
    target = chosen.target.lower()
    try:
        if not packages:
            raise PackagingError(f"{chosen.packages} holds no *.tgz: run ci/chart_package.py first")
        for reference in publish(packages, target, plain_http=chosen.plain_http):
            print(reference)
    except (PackagingError, ToolMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
