"""Commands of the pages are commands: programs take their options, sessions and files are there."""

import argparse
import ast
import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import reference_cli
from doc_commands import OWN, Command, commands
from doc_pages import ROOT, pages

PAGES = [page for page in pages() if page.parts[0] in ("docs", "charts") or len(page.parts) == 1]
PAGES.append(Path("tests/integration/README.md"))
# Folders of the repository, for words that name a file in one of them.
_FOLDERS = "benchmarks|charts|ci|docs|images|plans|results|tests|values"
_FILE = re.compile(rf"^(?:--?[\w-]+=)?((?:{_FOLDERS})/[\w./-]+)$")


class _RefusedError(Exception):
    pass


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_programs_take_the_options_that_a_page_gives_them(page: Path) -> None:
    wrong = [f"{command}: {why}" for command in commands(page) if (why := _refusal(command))]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_sessions_scripts_and_files_that_a_page_names_are_there(page: Path) -> None:
    wrong = [f"{command}: {why}" for command in commands(page) for why in _missing(command)]
    assert not wrong


def test_every_program_has_commands_in_the_pages() -> None:
    seen = {command.words[0] for page in PAGES for command in commands(page) if command.is_whole}
    assert set(OWN) <= seen and {"nox", "helm", "python3"} <= {word.rpartition("/")[2] for word in seen} | {"nox"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("slo-tuner measure net --address a:1 --objectve p95<=1s", "no option --objectve"),
        ("slo-tuner mesure net", "there is no command mesure"),
        ("slo-tuner measure net", "one of the arguments --repository --address is required"),
        ("model-repo-builder build plan.yaml", "the following arguments are required: --output"),
        ("python3 -m nox -s test", "no session test"),
        ("nox -s ladder -- --repository models --object 1", "no option --object"),
        ("python benchmarks/generater.py", "benchmarks/generater.py is not there"),
        ("python benchmarks/generator.py --rats 1", "benchmarks/generator.py has no option --rats"),
        ("pip install .[nothing]", "no extra nothing"),
        ("pip download guesslang==1.0.0", "guesslang is 2.2.1 in pyproject.toml"),
        ("helm install triton charts/tritn", "charts/tritn is not there"),
    ],
)
def test_a_wrong_command_is_found(line: str, why: str) -> None:
    command = Command(Path("page.md"), tuple(line.split()))
    assert why in " ".join([_refusal(command) or "", *_missing(command)])


def _refusal(command: Command) -> str | None:
    """Why one of the product's programs would not take the words, or a session its arguments; None if it would."""
    words = list(command.words)
    if "nox" in words[:3]:
        if "--" not in words or "ladder" not in words:
            return None
        words = ["slo-tuner", "ladder", *words[words.index("--") + 1 :]]
    if words[0] not in OWN:
        return None
    return _unknown_option(words) or (_parse(words) if command.is_whole else _unknown_command(words))


def _unknown_option(words: list[str]) -> str | None:
    """The first option that the program does not have as it is written: abbreviations are none."""
    parser = _parsers()[words[0]]
    below = reference_cli.commands(parser)
    known = set(parser._option_string_actions)
    for name, (_, command) in below.items():
        if words[1:2] in ([name], ["…"]):
            known |= set(command._option_string_actions)
    given = [word.partition("=")[0] for word in words if re.match(r"--\w", word)]
    return next((f"no option {option}" for option in given if option not in known), None)


def _unknown_command(words: list[str]) -> str | None:
    below = reference_cli.commands(_parsers()[words[0]])
    is_name = len(words) > 1 and re.fullmatch(r"[a-z][a-z-]+", words[1])
    return f"no command {words[1]}" if below and is_name and words[1] not in below else None


def _parse(words: list[str]) -> str | None:
    if {"--help", "--version", "--print-completion"} & set(words):
        # They end the program, whatever else it would need.
        return None
    try:
        _parsers()[words[0]].parse_args(words[1:])
    except _RefusedError as refused:
        return str(refused)
    return None


@cache
def _parsers() -> dict[str, argparse.ArgumentParser]:
    found = reference_cli.parsers()
    for parser in found.values():
        for one in [parser, *(below for _, below in reference_cli.commands(parser).values())]:
            one.error = _refuse  # type: ignore[method-assign]
            one.exit = lambda status=0, message=None: None  # type: ignore[method-assign]
    return found


def _refuse(message: str) -> None:
    raise _RefusedError(message)


def _missing(command: Command) -> list[str]:
    """The sessions, files, options of scripts, extras, groups and versions that are named and not there."""
    words = list(command.words)
    wrong = [f"{name} is not there" for name in _files(words) if not (ROOT / name).exists()]
    if "nox" in words[:3]:
        wrong += [f"no session {name}" for name in _session_names(words) if name not in _sessions()]
    elif words[0].startswith("python"):
        wrong += _script(words)
    if "pip" in words[:3]:
        wrong += _packages(words)
    names = [name.partition("=")[0] for name in command.assigned if name.startswith("SLO_TUNER_")]
    return wrong + [f"nothing reads {name}" for name in names if name not in _environment()]


def _files(words: list[str]) -> list[str]:
    found = [match[1] for word in words if (match := _FILE.match(word))]
    return [name for name in found if not re.search(r"[A-Z]{3,}", name.removesuffix("README.md"))]


def _session_names(words: list[str]) -> list[str]:
    before = words[: words.index("--")] if "--" in words else words
    return [word for word in before[before.index("-s") + 1 :] if not word.startswith("-")] if "-s" in before else []


@cache
def _sessions() -> frozenset[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return frozenset(node.name for node in functions if any("session" in ast.dump(d) for d in node.decorator_list))


def _script(words: list[str]) -> list[str]:
    """A script's options stand in its text, or, of a module, in that of its package."""
    if words[1:2] == ["-m"]:
        name = words[2] if len(words) > 2 else ""
        known = (
            importlib.util.find_spec(name) if name in ("pytest", "pip") or (ROOT / name.split(".")[0]).is_dir() else 0
        )
        return [f"no module {name}"] if known is None else []
    script = words[1] if len(words) > 1 else ""
    if not script.endswith(".py") or not (ROOT / script).is_file():
        return []
    text = (ROOT / script).read_text(encoding="utf-8")
    given = [word.partition("=")[0] for word in words if re.match(r"--\w", word)]
    return [f"{script} has no option {option}" for option in given if f'"{option}"' not in text]


def _packages(words: list[str]) -> list[str]:
    project = _project()
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    pinned = dict(one.split("==") for group in groups.values() for one in group if isinstance(one, str) and "==" in one)
    wrong = []
    for before, word in zip(["", *words], words, strict=False):
        if before == "--group" and word not in groups:
            wrong.append(f"no group {word}")
        if asked := re.match(r"(?:\.|tensorflow-inference-system)\[([\w,-]+)\]", word):
            wrong += [f"no extra {name}" for name in asked[1].split(",") if name not in extras]
        name, exactly, version = word.partition("==")
        if exactly and name in pinned and pinned[name] != version:
            wrong.append(f"{name} is {pinned[name]} in pyproject.toml")
    return wrong


@cache
def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def _environment() -> frozenset[str]:
    """The variables that the locustfile and what it imports read."""
    files = [ROOT / "slo_tuner" / "locustfile.py", *(ROOT / "slo_tuner" / "load").rglob("*.py")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return frozenset(re.findall(r"SLO_TUNER_[A-Z_]+", text))
