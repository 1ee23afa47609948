"""What mkdocs is told beyond mkdocs.yml: pages from outside of docs/, links that leave it, and the navigation.

The pages are written for code hosts, where a link may lead to any file of the repository. In the site such a link
leads to that file at the code host, or, where the file is a page of the site too, to the page.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from docs_links import OUTSIDE, ROOT, in_site
from docs_markdown import for_python_markdown, with_links
from docs_navigation import expanded
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Without it the theme would load diagrams' code from a server of others when a page is read.
MERMAID = ("mermaid", "assets/mermaid.min.js")


def on_config(config: Any) -> Any:
    """Puts the pages that no line of the navigation names where a line ends in `*`."""
    pages = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = expanded(config.nav, pages)
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages from outside of docs/, and the code that draws diagrams."""
    for where, source in OUTSIDE.items():
        files.append(File.generated(config, where, content=(ROOT / source).read_text(encoding="utf-8")))
    code = _mermaid()
    if code is not None:
        files.append(File.generated(config, MERMAID[1], content=code))
        config.extra_javascript.append(MERMAID[1])
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Links as the site has them, and lists as Python-Markdown reads them."""
    where, repository = page.file.src_uri, str(config.repo_url)
    return for_python_markdown(with_links(markdown, lambda target: in_site(target, where, repository)))


def _mermaid() -> str | None:
    """The code of Mermaid from its package, or None where that is not installed."""
    try:
        files = metadata.files("artoo-mermaid") or []
    except metadata.PackageNotFoundError:
        return None
    return next(
        (Path(str(file.locate())).read_text(encoding="utf-8") for file in files if file.match("*.min.js")), None
    )
