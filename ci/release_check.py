"""Checks that everything is of one release, and writes its notes: version, tag, charts, addresses, changelog.

    python ci/release_check.py [TAG]

TAG is by default the one that a workflow on GitHub runs for. Without any, the changelog's section may still be called
unreleased, and addresses may stand for those of whoever publishes. The section becomes dist/release-notes.md.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Where a release tells its users the addresses of whoever publishes it, and with which schemes.
ADDRESSES = (("pyproject.toml", "https?"), ("mkdocs.yml", "https?"), ("charts/*/Chart.yaml", "https?"))
INSTALLING = (("README.md", "oci"), ("charts/*/README.md", "oci"))
# RFC 2606 and RFC 6761: names that nobody can have.
RESERVED = re.compile(r"(.+\.)?(example|invalid|test|localhost|example\.(com|net|org))")
HEADING = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)


def version(root: Path = ROOT) -> str:
    """The version that command_line/version.py says."""
    match = re.search(r'^__version__ = "(.+)"$', (root / "command_line/version.py").read_text(encoding="utf-8"), re.M)
    assert match, "command_line/version.py has no __version__"
    return match[1]


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """For each version its date, or `unreleased`, and its text."""
    found = list(HEADING.finditer(changelog))
    ends = [one.start() for one in found[1:]] + [len(changelog)]
    return {one[1]: (one[2], changelog[one.end() : end].strip()) for one, end in zip(found, ends, strict=True)}


def problems(root: Path, tag: str | None) -> Iterator[str]:
    """What does not fit, one line each."""
    number = version(root)
    if tag is not None and tag != f"v{number}":
        yield f"tag: {tag}; allowed: v{number}, as command_line/version.py says"
    for path in sorted(root.glob("charts/*/Chart.yaml")):
        chart = yaml.safe_load(path.read_text(encoding="utf-8"))
        for field in ("version", "appVersion"):
            if chart[field] != number:
                yield f"{path.relative_to(root)}: {field}: {chart[field]}; allowed: {number}"
        for one in chart.get("dependencies", ()):
            if one["repository"].startswith("file://") and one["version"] != number:
                yield f"{path.relative_to(root)}: dependencies.{one['name']}: {one['version']}; allowed: {number}"
    if tag is not None:
        yield from placeholders(root)
    date, text = sections((root / "CHANGELOG.md").read_text(encoding="utf-8")).get(number, ("", ""))
    if not text:
        yield f"CHANGELOG.md: no section `## {number} (DATE)` with a text; allowed: one"
    elif tag is not None and date == "unreleased":
        yield f"CHANGELOG.md: {number} (unreleased); allowed: its date, as ## {number} (2026-01-31)"


def placeholders(root: Path) -> Iterator[str]:
    """Addresses that stand for those of whoever publishes, one line each."""
    for pattern, scheme in (*ADDRESSES, *INSTALLING):
        for path in sorted(root.glob(pattern)):
            found = re.findall(rf"""\b{scheme}://[^\s"'`)\]]+""", path.read_text(encoding="utf-8"))
            for address in dict.fromkeys(filter(is_placeholder, found)):
                yield f"{path.relative_to(root)}: {address}; allowed: an address of whoever publishes this release"


def is_placeholder(address: str) -> bool:
    """Whether nobody can have an address: by a reserved host name, or a part in capitals, as in https://host/OWNER."""
    parts = urlsplit(address)
    words = [parts.netloc, *parts.path.split("/")]
    return bool(RESERVED.fullmatch(parts.hostname or "")) or any(re.fullmatch("[A-Z_]{3,}", word) for word in words)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Checks that everything is of one release, and writes its notes.")
    known = os.environ.get("GITHUB_REF_NAME") if os.environ.get("GITHUB_REF_TYPE") == "tag" else None
    parser.add_argument("tag", nargs="?", metavar="TAG", default=known, help="as v0.1.0")
    found = list(problems(ROOT, parser.parse_args(arguments).tag))
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    notes = ROOT / "dist" / "release-notes.md"
    notes.parent.mkdir(exist_ok=True)
    notes.write_text(sections((ROOT / "CHANGELOG.md").read_text("utf-8"))[version()][1] + "\n", encoding="utf-8")
    print(f"{version()}: version, charts and changelog are of one release; {notes.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
