"""The navigation of the site: pages that no line of mkdocs.yml names find their place by their folder."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# Where the latest stands first.
LATEST_FIRST = "decisions/"


def expanded(nav: Any, pages: Collection[str]) -> Any:
    """The navigation with each line `FOLDER/*` replaced by those of the folder's `pages` that no other line names.

    `nav` is as in mkdocs.yml: lists of pages, and of mappings from a title to a page or to such a list.
    """
    return _filled(nav, set(pages) - _named(nav))


def _named(nav: Any) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    return set().union(*map(_named, nav.values() if isinstance(nav, dict) else nav))


def _filled(nav: Any, unnamed: set[str]) -> Any:
    if isinstance(nav, str):
        return nav
    if isinstance(nav, dict):
        return {title: _filled(below, unnamed) for title, below in nav.items()}
    lines: list[Any] = []
    for line in nav:
        lines += (
            _folder(line[:-1], unnamed) if isinstance(line, str) and line.endswith("*") else [_filled(line, unnamed)]
        )
    return lines


def _folder(folder: str, unnamed: set[str]) -> list[str]:
    found = sorted(page for page in unnamed if page.startswith(folder) and "/" not in page[len(folder) :])
    return found[::-1] if folder == LATEST_FIRST else found
