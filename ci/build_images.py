"""Builds the product's images; their tag is the charts' appVersion, which is what the charts ask for.

    python ci/build_images.py [--prefix REGISTRY/PATH] [--list] [--digests FILE] [NAME...]

IMAGE_BUILD      the command that builds, default `docker build`
IMAGE_BUILD_ARGS further arguments of it, as `--network host` or `--build-arg TENSORFLOW=1`

`--digests` writes a line for each image, NAME=REGISTRY/PATH/NAME@sha256:DIGEST, which `ci/chart_package.py --images`
takes. IMAGE_BUILD must be one that pushes and knows `--metadata-file`: `docker buildx build --push`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DIGEST = "containerimage.digest"  # in what buildx writes as metadata
NAMES = tuple(sorted(path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")))


def app_version() -> str:
    """The appVersion that the charts share; SystemExit when they differ."""
    versions = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["appVersion"]
        for path in (ROOT / "charts").glob("*/Chart.yaml")
    }
    if len(versions) != 1:
        sys.exit(f"the charts name several appVersions: {', '.join(sorted(versions))}")
    return str(versions.pop())


def image(name: str, prefix: str = "") -> str:
    """The full name of an image, with its tag."""
    # Registries know only small letters; names of repositories on a code host may have others.
    return f"{prefix.rstrip('/').lower()}/{name}:{app_version()}" if prefix else f"{name}:{app_version()}"


def build(name: str, prefix: str = "", *options: str) -> None:
    """Builds one image from the repository's root. CalledProcessError when that fails."""
    command = shlex.split(os.environ.get("IMAGE_BUILD", "docker build"))
    command += shlex.split(os.environ.get("IMAGE_BUILD_ARGS", ""))
    command += ["--file", f"images/{name}/Dockerfile", "--tag", image(name, prefix), *options, "."]
    # The engine's classic builder sends the whole context, and .dockerignore keeps that small.
    subprocess.run(command, cwd=ROOT, check=True)


def build_with_digest(name: str, prefix: str) -> str:
    """Builds and pushes one image; its name and reference by digest. ValueError where the builder tells no digest."""
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        build(name, prefix, "--metadata-file", str(metadata))
        digest = json.loads(metadata.read_text(encoding="utf-8") if metadata.exists() else "{}").get(DIGEST)
    if not digest:
        raise ValueError("its builder tells no digest: IMAGE_BUILD must push, as `docker buildx build --push` does")
    return f"{name}={image(name, prefix).rpartition(':')[0]}@{digest}"


def build_each(names: Sequence[str], prefix: str, *, with_digest: bool) -> list[str] | None:
    """Builds one after the other; their references by digest, if wanted. None, and a line, when one was not built."""
    references = []
    for name in names:
        started = time.monotonic()
        try:
            if with_digest:
                references.append(build_with_digest(name, prefix))
            else:
                build(name, prefix)
        except FileNotFoundError as error:
            hint = "install it, or name another command by IMAGE_BUILD, such as 'podman build'"
            print(f"{name} was not built: {error.filename} is not there: {hint}", file=sys.stderr)
            return None
        except subprocess.CalledProcessError as error:
            command = shlex.join(map(str, error.cmd))
            print(f"{name} was not built: {command}: exit status {error.returncode}", file=sys.stderr)
            return None
        except (OSError, ValueError) as error:
            print(f"{name} was not built: {error}", file=sys.stderr)
            return None
        print(f"{image(name, prefix)}: built in {time.monotonic() - started:.0f} s", flush=True)
    return references


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Builds the product's images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(NAMES)}; all unless given")
    parser.add_argument("--prefix", default="", metavar="REGISTRY/PATH", help="goes before each name")
    parser.add_argument("--list", action="store_true", help="print the images' full names and build nothing")
    parser.add_argument("--digests", type=Path, metavar="FILE", help="also write each image's reference by digest")
    chosen = parser.parse_args(arguments)
    names = chosen.names or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"{unknown[0]} is no image: choose from {', '.join(NAMES)}")
    if chosen.digests and not chosen.prefix:
        parser.error("--digests: --prefix must name the registry that the images are pushed to")
    if chosen.list:
        print(*(image(name, chosen.prefix) for name in names), sep="\n")
        return 0
    references = build_each(names, chosen.prefix, with_digest=chosen.digests is not None)
    if references is None:
        return 1
    if chosen.digests:
        chosen.digests.parent.mkdir(parents=True, exist_ok=True)
        chosen.digests.write_text("".join(f"{one}\n" for one in references), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
