"""What a code host shows is what the site shows: lists, code and links."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_pages import ROOT, pages
from docs_links import OUTSIDE, in_site
from docs_markdown import for_python_markdown, with_links
from docs_navigation import expanded

REPOSITORY = "https://code.example/owner/name"


@pytest.mark.parametrize(
    ("written", "translated"),
    [
        ("It creates\n- one\n- two\n", "It creates\n\n- one\n- two\n"),
        ("It weighs\n2. or so\n", "It weighs\n2. or so\n"),
        ("- one\n  goes on\n- two\n", "- one\n    goes on\n- two\n"),
        ("1. One\n\n   more of it\n\n       code\n", "1. One\n\n    more of it\n\n        code\n"),
        ("1. One\n\n   more of it\n2. Two\n3. Three\n", "1. One\n\n    more of it\n\n2. Two\n3. Three\n"),
        ("- one\n  - in it\n- two\n", "- one\n    - in it\n- two\n"),
        ("- one\nlazily\n\nNo item\n", "- one\n    lazily\n\nNo item\n"),
        ("text\n\n    - code\n", "text\n\n    - code\n"),
        ("- a\n\n  ```sh\n  - b\n    c\n  ```\n", "- a\n\n    ```sh\n    - b\n      c\n    ```\n"),
        ("```\nIt is\n- code\n```\n", "```\nIt is\n- code\n```\n"),
        ("| `a\\|b` | c\\|d |\n", "| `a|b` | c\\|d |\n"),
        ("<!-- begin -->\n| a |\n", "<!-- begin -->\n\n| a |\n"),
    ],
)
def test_lists_mean_the_same_in_the_site(written: str, translated: str) -> None:
    assert for_python_markdown(written) == translated


@pytest.mark.parametrize(
    ("page", "target", "where"),
    [
        ("how-to/tuner.md", "../explanation/tuning.md#why", "../explanation/tuning.md#why"),
        ("how-to/tuner.md", "#how-it-searches", "#how-it-searches"),
        ("how-to/tuner.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("how-to/tuner.md", "../../charts/locust/README.md#values", "../reference/chart-locust.md#values"),
        ("how-to/tuner.md", "../../charts/locust", "../reference/chart-locust.md"),
        ("how-to/tuner.md", "../runbooks", "../runbooks/README.md"),
        ("how-to/tuner.md", "../../plans/tiny.yaml", f"{REPOSITORY}/blob/main/plans/tiny.yaml"),
        ("how-to/tuner.md", "../../values", f"{REPOSITORY}/tree/main/values"),
        ("reference/chart-triton.md", "../../docs/how-to/rest.md", "../how-to/rest.md"),
        (
            "reference/chart-triton.md",
            "files/releases.yaml",
            f"{REPOSITORY}/blob/main/charts/triton/files/releases.yaml",
        ),
        ("contributing.md", "tests/integration/README.md", f"{REPOSITORY}/blob/main/tests/integration/README.md"),
    ],
)
def test_links_lead_to_pages_of_the_site_and_to_files_of_the_repository(page: str, target: str, where: str) -> None:
    assert in_site(target, page, REPOSITORY) == where


def test_links_in_code_stay_as_they_are() -> None:
    text = "[`a` b](c.md) and `[d](e.md)`\n\n```\n[f](g.md)\n```\n![h](i.svg)\n"
    changed = with_links(text, lambda target: f"X/{target}")
    assert changed == "[`a` b](X/c.md) and `[d](e.md)`\n\n```\n[f](g.md)\n```\n![h](X/i.svg)\n"


def test_pages_from_outside_of_docs_are_there() -> None:
    assert all((ROOT / source).is_file() for source in OUTSIDE.values())


def test_a_new_page_finds_its_place_in_the_navigation_by_itself() -> None:
    nav = [
        "README.md",
        {"Guides": ["how-to/b.md", "how-to/*", "*", {"Runbooks": ["runbooks/*"]}]},
        {"Why": ["decisions/*"]},
    ]
    pages = ["README.md", "how-to/a.md", "how-to/b.md", "new.md", "runbooks/r.md", "decisions/1.md", "decisions/2.md"]
    guides = ["how-to/b.md", "how-to/a.md", "new.md", {"Runbooks": ["runbooks/r.md"]}]
    assert expanded(nav, pages) == ["README.md", {"Guides": guides}, {"Why": ["decisions/2.md", "decisions/1.md"]}]


def _torn_apart(text: str) -> Iterator[str]:
    """Items whose list has ended before them, by a paragraph that is not indented: they count anew, or are no items."""
    last, is_open, before, is_code = 0, False, "", False
    for line in text.splitlines():
        is_code ^= line.lstrip().startswith("```")
        if not is_code:
            item = re.match(r"(\d+)\. ", line)
            if item and int(item[1]) > 1 and not (is_open and int(item[1]) == last + 1):
                yield line
            if item:
                last, is_open = int(item[1]), True
            elif line and not before and not line.startswith(" "):
                is_open = False
        before = line


@pytest.mark.parametrize("page", pages(), ids=str)
def test_what_stands_between_numbered_items_belongs_to_one(page: Path) -> None:
    assert not list(_torn_apart((ROOT / page).read_text(encoding="utf-8")))


def test_a_list_that_is_torn_apart_is_found() -> None:
    assert list(_torn_apart("1. One\n\nText\n\n2. Two\n")) == ["2. Two"]
    assert not list(_torn_apart("1. One\n\n   Text\n\n2. Two\nlazily\n3. Three\n"))
