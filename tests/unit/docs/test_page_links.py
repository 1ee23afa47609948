"""Links between pages and to files lead somewhere, down to the heading."""

import os
from pathlib import Path

import pytest
from doc_pages import ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = Path(os.path.normpath(page.parent / path)) if path else page
        if not (ROOT / file).exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong
