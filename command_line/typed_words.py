"""What was typed, looked at before argparse: empty values, and options and commands that there are not.

argparse tells of what is missing before it tells of what is wrong, so `--adress HOST:PORT` ends with "--address is
required", and takes an empty text for the current folder where a path is asked for.
"""

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

_NUMBER = re.compile(r"-(\d|\.\d)")


def first_wrong(parser: argparse.ArgumentParser, words: Sequence[str]) -> str | None:
    """What is wrong with the words up to a command, in words for a person, and what is nearest to it; None for nothing.

    An empty word is wrong everywhere: it is what a script makes of a variable that is not set.
    """
    commands = below(parser)
    if commands and not words:
        return f"give a command: {', '.join(commands)}"
    asking: argparse.Action | None = None
    for word in words:
        name, equals, value = word.partition("=")
        if not word or (equals and not value and _is_option(name)):
            field = name or (asking.option_strings[-1] if asking else "an argument")
            return f"{field}: '' is not allowed; give a value"
        if word == "--":
            return None
        if _is_option(word):
            found = _matching(parser, name)
            if not found:
                return _unknown_option(parser, name)
            asking = found[0] if found[0].nargs != 0 and not equals and len(name) > 2 else None
        elif asking is not None:
            asking = None
        elif commands:
            return None if word in commands else _unknown_command(word, commands)
    return None


def not_taken(words: Sequence[str]) -> str:
    """What argparse has left over, in words for a person."""
    return f"{shlex.join(words)} is one argument too many" if len(words) == 1 else f"too many: {shlex.join(words)}"


def below(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands by their names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _is_option(word: str) -> bool:
    # As argparse sees it: what has a blank in it, or is a number, is none.
    return len(word) > 1 and word[0] == "-" and word != "--" and " " not in word and not _NUMBER.match(word)


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name: action for action in parser._actions for name in action.option_strings}


def _matching(parser: argparse.ArgumentParser, name: str) -> list[argparse.Action]:
    """The actions of an option as it is typed, abbreviated or with its value behind its one letter."""
    options = _options(parser)
    if name in options:
        return [options[name]]
    if name.startswith("--"):
        return [action for option, action in options.items() if option.startswith(name)]
    return [options[name[:2]]] if name[:2] in options else []


def _unknown_option(parser: argparse.ArgumentParser, name: str) -> str:
    program = parser.prog.partition(" ")[0]
    if program != parser.prog and name in ("--version", "--print-completion"):
        return f"{name} stands before the command: {program} {name}"
    if any(name in _options(one) for one in below(parser).values()):
        return f"{name} stands behind the command: {program} COMMAND {name}"
    known = [option for option in _options(parser) if option.startswith("--")]
    near = [one for one in known if one.startswith(f"-{name}")] if len(name) == 2 else []
    return f"there is no option {name}{_perhaps(near or get_close_matches(name, known, 1))}"


def _unknown_command(word: str, commands: Mapping[str, object]) -> str:
    near = get_close_matches(word, commands, 1)
    return f"there is no command {shlex.quote(word)}; allowed: {', '.join(commands)}{_perhaps(near)}"


def _perhaps(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]}?" if len(near) == 1 else ""
