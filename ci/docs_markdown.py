"""What code hosts read as Markdown, written so that Python-Markdown reads the same.

Code hosts follow CommonMark: a list may follow a paragraph without an empty line, and what belongs to an item is
indented as far as its text. Python-Markdown, which makes the site, wants an empty line and four spaces, and an empty
line after an item of several paragraphs. In a table they want a bar in code to be escaped; Python-Markdown wants it as
it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

INDENT = "    "
_FENCE = re.compile(r"^ *(`{3,}|~{3,})")
_ITEM = re.compile(r"^( {0,3})([-*+]|\d{1,9}[.)])( {1,4})(?=\S)")
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")


def for_python_markdown(text: str) -> str:
    """The page with lists and HTML comments as Python-Markdown wants them; blocks of code stay as they are."""
    return "\n".join(_Lists().lines(text.splitlines())) + "\n"


def with_links(text: str, changed: Callable[[str], str]) -> str:
    """The page with every target of a link or an image replaced by what `changed` makes of it; not in code."""

    def replaced(part: str) -> str:
        return _LINK.sub(lambda link: f"{link[1]}{changed(link[2])}{link[3]}", part)

    parts = re.split(r"(^ *```.*?^ *```$|`[^`\n]+`)", text, flags=re.MULTILINE | re.DOTALL)
    # A link's own text may hold code, so code is set aside by a mark that no page has.
    kept = parts[1::2]
    marked = "".join(part if index % 2 == 0 else f"\0{index // 2}\0" for index, part in enumerate(parts))
    return re.sub(r"\0(\d+)\0", lambda mark: kept[int(mark[1])], replaced(marked))


@dataclass
class _Lists:
    """Where the line stands: the columns at which the open items' texts begin, and the fence that is open."""

    columns: list[int] = field(default_factory=list)
    fence: str = ""
    before: str = ""
    has_gap: bool = False
    """Whether the last item has an empty line in it: then the next one needs one before it."""

    def lines(self, lines: list[str]) -> Iterator[str]:
        for line in lines:
            yield from self._fenced(line) if self.fence or _FENCE.match(line) else self._plain(line)
            self.before = line

    def _fenced(self, line: str) -> Iterator[str]:
        mark = _FENCE.match(line)
        if not self.fence and mark:
            self._close(_indent(line))
            self.fence = mark[1]
        elif mark and line.strip() == self.fence:
            self.fence = ""
        yield self._shifted(line)

    def _plain(self, line: str) -> Iterator[str]:
        if not line.strip():
            self.has_gap = True
            yield ""
            return
        is_new = self._begins_anew(line)
        closed = self._close(_indent(line)) if is_new else 0
        inside = line[self.columns[-1] if self.columns else 0 :]
        item = _ITEM.match(inside)
        if item is None or not is_new:
            yield from self._text(line)
            return
        if self.before.strip() and (self.has_gap or (not closed and not self.columns)):
            yield ""
        self.has_gap = False
        yield INDENT * len(self.columns) + f"{item[2]} {inside[item.end() :]}"
        self.columns.append((self.columns[-1] if self.columns else 0) + item.end())

    def _text(self, line: str) -> Iterator[str]:
        is_comment = line.startswith("<!--")
        if is_comment and self.before.strip():
            yield ""
        is_row = line.lstrip().startswith("|")
        yield self._shifted(_CODE.sub(lambda code: code[0].replace("\\|", "|"), line) if is_row else line)
        if is_comment and line.endswith("-->"):
            yield ""

    def _begins_anew(self, line: str) -> bool:
        """Whether a line is no lazy continuation of the item's paragraph: it begins an item, or stands after a gap."""
        item = _ITEM.match(line.lstrip())
        interrupts = item is not None and (self.columns or item[2] in "-*+" or item[2][:-1] == "1")
        return not self.before.strip() or bool(interrupts) or line.lstrip().startswith(("#", "|", "<!--"))

    def _close(self, indent: int) -> int:
        """Ends the items that a line so far to the left is no part of; how many."""
        count = len(self.columns)
        while self.columns and indent < self.columns[-1]:
            self.columns.pop()
        return count - len(self.columns)

    def _shifted(self, line: str) -> str:
        column = self.columns[-1] if self.columns else 0
        return INDENT * len(self.columns) + line[min(column, _indent(line)) :] if line.strip() else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
