"""The command lines of the pages: of fenced and indented blocks, and those that stand in a sentence or a table."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doc_pages import ROOT

SHELLS = ("bash", "sh", "shell", "console")
# What a line may begin with, so that a word of a listing or an output is not taken for a command.
OWN = ("model-repo-builder", "slo-tuner", "tfserving-front", "image-client")
OTHERS = ("nox", "python", "python3", "pip", "helm", "locust", "docker", "mike")
_ASSIGNMENT = re.compile(r"^[A-Z][A-Z0-9_]*=")
_OPERATORS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "(", ")"}
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S[^\n]*\n)+", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Command:
    """One command of a page: its words without assignments, and the assignments.

    `is_whole`: as somebody would type it, so nothing that it needs may be missing; else it stands in a sentence or has
    an ellipsis.
    """

    page: Path
    words: tuple[str, ...]
    assigned: tuple[str, ...] = ()
    is_whole: bool = True

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands(page: Path) -> list[Command]:
    """Every command of the page that begins with a known program."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for _, language, block in _FENCE.findall(text):
        if language in SHELLS:
            found += [command for line in _lines(block) for command in _commands(page, line, True)]
    rest = _FENCE.sub("", text)
    for block in _INDENTED.findall(rest):
        found += [command for line in _lines(block) for command in _commands(page, line, True)]
    for span in _INLINE.findall(_INDENTED.sub("", rest)):
        found += _commands(page, " ".join(span.split()), False)
    return [command for command in found if command.words and command.words[0] in OWN + OTHERS]


def _lines(block: str) -> Iterator[str]:
    """Lines of a block, those that end in a backslash or a pipe joined with the next."""
    joined = re.sub(r"\\\n\s*|(?<=\|)\n\s*", " ", block)
    yield from (line.strip() for line in joined.splitlines())


def _commands(page: Path, line: str, is_block: bool) -> Iterator[Command]:
    if line.startswith("#"):
        return
    is_whole = is_block and "…" not in line and " ..." not in line
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split, lexer.commenters = True, ("#" if is_block else "")
        words = list(lexer)
    except ValueError:
        return
    for part in _parts(words):
        assigned = []
        while part and _ASSIGNMENT.match(part[0]):
            assigned.append(part.pop(0))
        if part[:1] == ["export"]:
            assigned, part = part[1:], []
        yield Command(page, tuple(part), tuple(assigned), is_whole)


def _parts(words: list[str]) -> Iterator[list[str]]:
    """The words of each simple command; targets of redirections are left out."""
    part: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _OPERATORS:
            skip = word in {">", ">>", "<"}
            if not skip:
                yield part
                part = []
        else:
            part.append(word)
    yield part
