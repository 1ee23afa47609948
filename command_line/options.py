"""What every command has: errors of one line, `--version`, and `--print-completion` for the shells."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from .exit_codes import ExitCode
from .version import __version__

SHELLS = ("bash", "zsh", "tcsh")


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are one line: the usage of some commands fills a screen."""

    def error(self, message: str) -> NoReturn:
        """End the command as a wrong option does."""
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands share; neither costs anything unless it is asked for."""
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--print-completion", choices=SHELLS, action=_PrintCompletion, help="print the completion for a shell, and end"
    )


class _PrintCompletion(argparse.Action):
    """Prints what a shell needs to complete the command's words, files where a path is asked for, and ends."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: Any, shell: Any, _option: str | None = None
    ) -> None:
        # Imported here: no start of a command has to wait for it.
        try:
            import shtab
        except ModuleNotFoundError:
            parser.error("the package shtab is not installed: pip install shtab")

        for action in _actions(parser):
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its subcommands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
