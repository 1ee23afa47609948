"""Prints requirements of pyproject.toml, one a line: what an image installs. Needs only Python's standard library.

python3 ci/requirements.py GROUP... [--project] [--without PACKAGE,...]

`--project` adds what the project itself depends on; `--without` leaves out packages that a base image brings.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def group(name: str, groups: dict[str, list[Any]]) -> Iterator[str]:
    """The requirements of a dependency group and of those that it includes (PEP 735). KeyError for an unknown one."""
    for entry in groups[name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(entry["include-group"], groups)


def package(requirement: str) -> str:
    """The package of a requirement, as package indexes write it (PEP 503)."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, f"{requirement!r} names no package"
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def requirements(names: list[str], *, project: bool, without: list[str]) -> list[str]:
    """The requirements, each once, sorted."""
    content = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    wanted = {one for name in names for one in group(name, content["dependency-groups"])}
    if project:
        wanted |= set(content["project"]["dependencies"])
    left_out = {package(name) for name in without}
    return sorted(one for one in wanted if package(one) not in left_out)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Prints requirements of pyproject.toml.")
    parser.add_argument("groups", nargs="+", metavar="GROUP")
    parser.add_argument("--project", action="store_true", help="add the project's own dependencies")
    parser.add_argument("--without", default="", metavar="PACKAGE,...", help="leave these out")
    chosen = parser.parse_args(arguments)
    without = [name for name in chosen.without.split(",") if name]
    try:
        print("\n".join(requirements(chosen.groups, project=chosen.project, without=without)))
    except KeyError as error:
        print(f"pyproject.toml has no dependency group {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
