"""Checks .github/workflows: what runs is a nox session of this project, rights are few, actions are pinned; actionlint.

python ci/workflows.py
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tools import ROOT, ToolMissing, actionlint

FOLDER = ROOT / ".github" / "workflows"
INSTALL = "python -m pip install nox"
PINNED = re.compile(r"@(v\d+|release/v\d+|[0-9a-f]{40})$")


def sessions(noxfile: Path = ROOT / "noxfile.py") -> set[str]:
    """The names of the sessions, read from the file as text."""
    found = set()
    for node in ast.parse(noxfile.read_text(encoding="utf-8")).body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            call = decorator if isinstance(decorator, ast.Call) else None
            target = call.func if call else decorator
            if isinstance(node, ast.FunctionDef) and ast.unparse(target) == "nox.session":
                named = [one.value for one in (call.keywords if call else []) if one.arg == "name"]
                found.add(str(ast.literal_eval(named[0])) if named else node.name)
    return found


def problems(name: str, workflow: dict[str, Any], known: set[str]) -> Iterator[str]:
    """What is wrong with a workflow, one line each."""
    if "permissions" not in workflow:
        yield f"{name}: permissions: missing; allowed: `contents: read`, and more only in the job that needs it"
    for job, content in workflow["jobs"].items():
        if "timeout-minutes" not in content:
            yield f"{name}: {job}: timeout-minutes: missing; allowed: a limit in minutes"
        for step in content["steps"]:
            if "run" in step:
                yield from (f"{name}: {job}: {problem}" for problem in _run(step["run"], known))
            elif not PINNED.search(step["uses"]):
                yield f"{name}: {job}: uses: {step['uses']}; allowed: an action at its major version or a commit"


def _run(command: str, known: set[str]) -> Iterator[str]:
    words = command.split(" -- ")[0].split()
    if command == INSTALL:
        return
    if words[:4] != ["python", "-m", "nox", "-s"] or "\n" in command.strip():
        yield f"run: {command!r}; allowed: {INSTALL!r}, or one `python -m nox -s SESSION...`"
        return
    for name in words[4:]:
        if name not in known:
            yield f"run: session {name!r}; allowed: {', '.join(sorted(known))}"


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    known = sessions()
    files = sorted(FOLDER.glob("*.yml"))
    found = [
        one for file in files for one in problems(file.name, yaml.safe_load(file.read_text(encoding="utf-8")), known)
    ]
    print(*found, sep="\n", end="\n" if found else "")
    try:
        checked = subprocess.run([actionlint(), *files], check=False).returncode
    except ToolMissing as missing:
        print(f"actionlint has not run: {missing}")
        checked = 0
    return 1 if found or checked else 0


if __name__ == "__main__":
    sys.exit(main())
