"""The list of decisions in docs/decisions/README.md: each page by its date and its heading, the latest first."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "decisions"
BEGIN, END = "<!-- decisions: written by ci/reference_docs.py -->", "<!-- end of decisions -->"


def page() -> str:
    """The page with its list as the folder has it."""
    before, rest = (FOLDER / "README.md").read_text(encoding="utf-8").split(BEGIN, 1)
    pages = sorted(FOLDER.glob("2*.md"), reverse=True)
    rows = ["| date | decision |", "|---|---|"]
    rows += [f"| {path.name[:10]} | [{_heading(path)}]({path.name}) |" for path in pages]
    return "\n".join([before + BEGIN, *rows, END + rest.split(END, 1)[1]])


def _heading(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
