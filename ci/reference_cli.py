"""The page of the command line: every command, argument and option, from the parsers themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module

# The function of each program that makes its parser.
PARSERS = {
    "model-repo-builder": "model_repo_builder.cli:_parser",
    "slo-tuner": "slo_tuner.commands.parser:make_parser",
    "tfserving-front": "tfserving_front.cli:_parser",
    "image-client": "image_client.cli:_parser",
}
_INTRODUCTION = """# Command line

Every command with its arguments and options. `--help` prints the same. [Exit codes](exit-codes.md) are those of all
commands. This page is written from the parsers by `ci/reference_docs.py`.

## Completion of words by the Tab key

Each command prints it for a shell; a new shell then has it. For bash, which needs the package `bash-completion`:

```bash
mkdir -p ~/.local/share/bash-completion/completions
slo-tuner --print-completion bash >~/.local/share/bash-completion/completions/slo-tuner
```

For zsh, with `fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit` in `~/.zshrc`:

```bash
mkdir -p ~/.zfunc
slo-tuner --print-completion zsh >~/.zfunc/_slo-tuner
```

For fish:

```bash
mkdir -p ~/.config/fish/completions
slo-tuner --print-completion fish >~/.config/fish/completions/slo-tuner.fish
```
"""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each program by its name."""
    found = {}
    for program, place in PARSERS.items():
        module, _, function = place.partition(":")
        found[program] = getattr(import_module(module), function)()
    return found


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """The subcommands of a parser: what each is for, and its own parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            purposes = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return {name: (purposes.get(name, ""), below) for name, below in action.choices.items()}
    return {}


def page() -> str:
    """The whole page in Markdown."""
    return "\n".join([_INTRODUCTION, *(line for parser in parsers().values() for line in _program(parser))])


def _program(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {parser.prog}\n"
    yield f"{parser.description}\n"
    yield from _command(parser)
    for name, (purpose, below) in commands(parser).items():
        yield f"### {parser.prog} {name}\n"
        yield f"{purpose[:1].upper()}{purpose[1:]}.\n"
        yield from _command(below)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    shown = [
        action
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    yield f"```text\n{_usage(parser)}\n```\n"
    if shown:
        yield "| argument or option | meaning |\n|---|---|"
        yield from (f"| {_name(action)} | {_meaning(parser, action)} |" for action in shown)
        yield ""


def _usage(parser: argparse.ArgumentParser) -> str:
    """`PROGRAM COMMAND ARGUMENT --needed VALUE [options]`."""
    words = [parser.prog]
    together = [group for group in parser._mutually_exclusive_groups if group.required]
    for group in together:
        words.append("(" + " | ".join(_plain(action) for action in group._group_actions) + ")")
    grouped = [action for group in together for action in group._group_actions]
    positional, needed = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            positional.append("COMMAND …")
        elif not action.option_strings:
            positional.append(_metavar(action) + (" …" if action.nargs == "+" else ""))
        elif action.required and action not in grouped:
            needed.append(_plain(action))
    others = [action for action in parser._actions if action.option_strings and action.dest != "help"]
    more = ["[options]"] if len(others) > len(grouped) + len(needed) else []
    return " ".join([words[0], *positional, *words[1:], *needed, *more])


def _plain(action: argparse.Action) -> str:
    """An option as it is typed: its long name and its value."""
    name = action.option_strings[-1] if action.option_strings else ""
    value = "" if action.nargs == 0 else _metavar(action)
    return " ".join(filter(None, [name, value]))


def _name(action: argparse.Action) -> str:
    shown = _plain(action).replace("|", "\\|")
    return f"`{shown}`"


def _metavar(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar) if action.metavar is not None else action.dest.upper()


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if isinstance(action, argparse._VersionAction):
        return "print the version"
    values = {**vars(action), "prog": parser.prog}
    text = (action.help or "") % values
    is_told = "default" in text or action.required or not action.option_strings
    if not is_told and action.default not in (None, False, "", [], argparse.SUPPRESS):
        text += f" (default {action.default})"
    # What stands in capitals or angle brackets is no HTML.
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
