"""Prints requirements of pyproject.toml at their tested versions, one a line: what an image or a session installs.

python3 ci/requirements.py NAME... [--project] [--cpu] [--without PACKAGE,...]

A NAME is an extra or a dependency group. `--project` adds what the project itself depends on; `--cpu` takes
tensorflow-cpu, the same code without that of GPUs, in place of tensorflow; `--without` leaves out packages that a base
image brings. Ranges stand in pyproject.toml, the tested version of each package in constraints.txt. Needs only Python's
standard library.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ON_CPU = {"tensorflow": "tensorflow-cpu"}
"""What stands in for a package on a machine without a GPU: a third of the download."""


def content(root: Path = ROOT) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def pins(root: Path = ROOT) -> dict[str, str]:
    """The tested version of each package."""
    lines = (line.partition("#")[0].strip() for line in (root / "constraints.txt").read_text("utf-8").splitlines())
    return {package(line): line.partition("==")[2] for line in lines if line}


def listed(name: str, project: dict[str, Any]) -> Iterator[str]:
    """The requirements of an extra or a dependency group, and of those that it includes (PEP 735, and an extra by the
    project's own name). KeyError for an unknown one."""
    extras = project["project"]["optional-dependencies"]
    for entry in extras[name] if name in extras else project["dependency-groups"][name]:
        own = (
            re.fullmatch(rf"{re.escape(project['project']['name'])}\[(.+)\]", entry) if isinstance(entry, str) else None
        )
        if own:
            for part in own[1].split(","):
                yield from listed(part, project)
        elif isinstance(entry, str):
            yield entry
        else:
            yield from listed(entry["include-group"], project)


def package(requirement: str) -> str:
    """The package of a requirement, as package indexes write it (PEP 503)."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, f"{requirement!r} names no package"
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def pinned(requirement: str, known: dict[str, str], *, cpu: bool = False) -> str:
    """A requirement at its tested version, where there is one."""
    name = package(requirement)
    if name not in known:
        return requirement
    return f"{ON_CPU.get(name, name) if cpu else name}=={known[name]}"


def requirements(
    names: list[str], *, project: bool = False, cpu: bool = False, without: Sequence[str] = ()
) -> list[str]:
    """The requirements, each once, sorted."""
    of, known = content(), pins()
    wanted = {one for name in names for one in listed(name, of)}
    if project:
        wanted |= set(of["project"]["dependencies"])
    left_out = {package(name) for name in without}
    found = {pinned(one, known, cpu=cpu) for one in wanted if package(one) not in left_out}
    return sorted(one for one in found if package(one) not in left_out)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Prints requirements of pyproject.toml at their tested versions.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="an extra or a dependency group")
    parser.add_argument("--project", action="store_true", help="add the project's own dependencies")
    parser.add_argument("--cpu", action="store_true", help="tensorflow-cpu in place of tensorflow")
    parser.add_argument("--without", default="", metavar="PACKAGE,...", help="leave these out")
    chosen = parser.parse_args(arguments)
    without = [name for name in chosen.without.split(",") if name]
    try:
        print("\n".join(requirements(chosen.names, project=chosen.project, cpu=chosen.cpu, without=without)))
    except KeyError as error:
        print(f"pyproject.toml has no extra and no dependency group {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
