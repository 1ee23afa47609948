"""What a person sees of a build: one line an event, a progress bar on a terminal, one summary table at the end."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from command_line.terminal import plain_console
from model_repo_builder.repository.manifest import Manifest

# Wide enough for the summary table where there is no terminal to ask.
LOG_WIDTH = 120


def console(*, quiet: bool = False, record: bool = False) -> Console:
    """What is printed goes to stdout, or nowhere; `record` keeps it for a log."""
    width = None if sys.stdout.isatty() else LOG_WIDTH
    return plain_console(width=width, record=record, file=io.StringIO() if quiet else None)


@dataclass(frozen=True)
class Row:
    """One variant in the summary: what was done, how long it took, the artefact's size in bytes."""

    manifest: Manifest
    action: str
    seconds: float
    size: int


class BuildLog:
    """Prints events; `steps` is the number of variants that the progress bar counts."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._started = time.monotonic()
        self._progress: Progress | None = None

    @contextmanager
    def counting(self, steps: int) -> Iterator[None]:
        """Show a progress bar over `steps` variants where there is a terminal."""
        if self._quiet or not self._console.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._progress = progress
            self._task = progress.add_task("building", total=steps)
            yield
        self._progress = None

    def event(self, subject: str, text: str) -> None:
        """One line: seconds since the start, what it is about, what happened."""
        if not self._quiet:
            elapsed = time.monotonic() - self._started
            self._console.print(f"{elapsed:6.1f} s  {subject}: {text}", soft_wrap=True)

    def done(self) -> None:
        """One variant more is finished."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def summary(self, rows: Sequence[Row]) -> None:
        """The table of all variants."""
        if not self._quiet:
            self._console.print(table(rows))


def table(rows: Sequence[Row]) -> Table:
    """Variants with their precision, size in MB, agreement with the source, and build time."""
    columns = ("variant", "engine", "precision", "input", "MB", "top-1", "max diff", "mean diff", "action", "seconds")
    view = Table(title=rows[0].manifest.model if rows else None, title_justify="left")
    for column in columns:
        view.add_column(column, justify="right" if column in columns[4:8] or column == "seconds" else "left")
    for row in rows:
        manifest, agreement = row.manifest, row.manifest.agreement
        view.add_row(
            manifest.variant,
            manifest.engine,
            manifest.precision,
            manifest.input_dtype,
            f"{row.size / 1e6:.1f}",
            "" if agreement.top1 is None else f"{agreement.top1:.1%}",
            f"{agreement.max_abs_diff:.2g}",
            f"{agreement.mean_abs_diff:.2g}",
            row.action,
            f"{row.seconds:.1f}",
        )
    return view


def as_json(rows: Sequence[Row]) -> str:
    """The variants for a program: their manifests, with what was done, the artefact's bytes and the seconds it took."""
    return json.dumps(
        [
            {**row.manifest.model_dump(mode="json"), "action": row.action, "bytes": row.size, "seconds": row.seconds}
            for row in rows
        ],
        indent=1,
    )
