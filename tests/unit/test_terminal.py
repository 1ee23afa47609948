"""Colours are for terminals, and for those who want them."""

import io

import pytest
from rich.text import Text

from command_line.terminal import plain_console


def _printed(terminal: bool) -> str:
    file = io.StringIO()
    plain_console(file=file, force_terminal=terminal).print(Text.assemble(("kept", "green"), (" original", "bold")))
    return file.getvalue()


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[" in _printed(terminal=True)


def test_a_pipe_gets_none() -> None:
    assert _printed(terminal=False) == "kept original\n"


def test_no_color_turns_every_style_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert _printed(terminal=True) == "kept original\n"
