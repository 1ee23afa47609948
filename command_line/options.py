"""What every command has: errors of one line, `--version`, and `--print-completion` for the shells."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .exit_codes import ExitCode
from .typed_words import below, first_wrong, not_taken
from .version import __version__

SHELLS = ("bash", "zsh", "fish", "tcsh")
_NAMES_A_FILE = re.compile(r"FILE|DIR|PATH|FOLDER|PLAN|SAVEDMODEL|PROGRAM|PYTHON")


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are one line: the usage of some commands fills a screen.

    They name what was typed, and the option or command that is nearest to it.
    """

    def parse_known_args(  # type: ignore[override]  # one of the two signatures that the overloads allow
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse what is wrong before what is missing."""
        words = sys.argv[1:] if args is None else list(args)
        wrong = first_wrong(self, words)
        if wrong is not None:
            self.error(wrong)
        return super().parse_known_args(words, namespace)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """The options; what a command does not take is an error of the command."""
        options, more = self.parse_known_args(args, namespace)
        if more:
            command: Any = below(self).get(getattr(options, "command", ""), self)
            command.error(not_taken(more))
        return options

    def error(self, message: str) -> NoReturn:
        """End the command as a wrong option does."""
        see = " See" if message.endswith("?") else "; see"
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {message}{see} {self.prog} --help\n")


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
            if action.type is Path or _NAMES_A_FILE.search(str(action.metavar)):
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
