"""Where a page's links lead in the site: to another page, or, for any other file, to the repository."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
# Pages of the site that stand elsewhere in the repository, where their readers on a code host look for them.
OUTSIDE = {
    "reference/chart-triton.md": "charts/triton/README.md",
    "reference/chart-locust.md": "charts/locust/README.md",
    "reference/chart-inference-system.md": "charts/inference-system/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}


def source_of(page: str) -> str:
    """The file of the repository that the site's page is made of."""
    return OUTSIDE.get(page, f"docs/{page}")


def in_site(target: str, page: str, repository: str) -> str:
    """The target of a link on the site's `page` as the site needs it; `repository` is the address of the code host.

    A folder of pages means its README.md, as code hosts show it.
    """
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return target
    file = os.path.normpath(PurePosixPath(source_of(page)).parent / path)
    inside = {outside: where for where, outside in OUTSIDE.items()}
    for name in (file, f"{file}/README.md"):
        where = inside.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") else None)
        if where is not None and (ROOT / name).is_file():
            return os.path.relpath(where, PurePosixPath(page).parent) + mark + anchor
    kind = "tree" if (ROOT / file).is_dir() else "blob"
    return f"{repository.rstrip('/')}/{kind}/main/{file}{mark}{anchor}"
