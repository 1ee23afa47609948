"""The console of every command: what it prints is printed as it is, whoever wrote it."""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


class _PlainConsole(Console):
    def on_broken_pipe(self) -> NoReturn:
        # rich would end the process without a word.
        raise sys.exception() or BrokenPipeError


def plain_console(**options: Any) -> Console:
    """A console of rich that takes no text for markup: neither `[/models/a]` nor `:on:` means anything to it.

    Names of models, messages of servers and libraries, and paths are foreign text. What stands out is a `Text`: on a
    terminal, and not where NO_COLOR is set (https://no-color.org), which turns off bold and dim here, too.
    """
    if os.environ.get("NO_COLOR"):
        options.setdefault("color_system", None)
    return _PlainConsole(markup=False, emoji=False, highlight=False, **options)


def plain_table(title: str | None, columns: Sequence[str], left: Sequence[str] = ()) -> Table:
    """A table without rows; its columns are aligned to the right, those in `left` to the left."""
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


def print_table(table: Table) -> None:
    """Print a table to standard output, never narrower than it needs."""
    console = plain_console()
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    plain_console(width=max(console.width, needed)).print(table)
