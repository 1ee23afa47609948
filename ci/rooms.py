"""The rooms of the Python packages, who imports whom, and the rules for it: read from the imports as text.

python3 ci/rooms.py              # each package: rooms, arrows, and every import that breaks a rule
python3 ci/rooms.py --picture    # the picture of docs/explanation/architecture.md, in Mermaid
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUND = {"command_line", "triton_contract", "example_files"}

PACKAGES: dict[str, set[str]] = {
    "command_line": set(),
    "triton_contract": {"command_line"},
    "example_files": set(),
    "model_repo_builder": GROUND,
    "slo_tuner": GROUND,
    "tfserving_front": GROUND,
    "image_client": GROUND | {"model_repo_builder"},
    "monitoring": {"triton_contract"},
}
"""Which packages of the project each package may import."""

FLOORS: dict[str, tuple[set[str], ...]] = {
    "slo_tuner": (
        {"__main__"},
        {"cli", "locustfile"},
        {"commands"},
        {"report"},
        {"ladder", "tuning", "tiers", "sweep", "fleet"},
        {"session"},
        {"measurement", "capacity"},
        {"load", "triton"},
        {"cost"},
        {"results"},
        {"slo"},
        {"access"},
        {"child_process", "plot_style"},
    ),
    "model_repo_builder": (
        {"__main__"},
        {"cli"},
        {"build", "speed_test", "init_plan"},
        {"report"},
        {"repository"},
        {"sources", "agreement"},
        {"plan"},
        {"engines"},
        {"examples"},
        {"bucket", "bucket_cache", "downloads", "package_files", "tensorflow_graph"},
        {"signature", "errors", "tensorflow_log"},
    ),
}
"""The rooms of a package from the top floor down. A room imports only from the floors below its own."""


@dataclass(frozen=True)
class Import:
    """One import of a module of the project, where it stands, and which rooms it joins."""

    file: str
    line: int
    room: str
    target: str
    target_room: str


def imports_of(package: str, root: Path = ROOT) -> Iterator[Import]:
    """Every import, also inside of functions, from a package's files to the project's packages."""
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for module in _modules(node, parts):
                if module[0] in PACKAGES:
                    target = _room(module, root)
                    yield Import(path.relative_to(root).as_posix(), node.lineno, _room(parts, root), module[0], target)


def _modules(node: ast.AST, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What a node imports, each as the parts of a dotted name."""
    if isinstance(node, ast.Import):
        return [tuple(alias.name.split(".")) for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = parts[: len(parts) - node.level] if node.level else ()
    module = (*base, *(node.module.split(".") if node.module else ()))
    return [(*module, alias.name) for alias in node.names]


def _room(parts: tuple[str, ...], root: Path) -> str:
    """The folder or file directly in the package; the package itself for what its __init__ holds."""
    if len(parts) > 1 and ((root / parts[0] / parts[1]).is_dir() or (root / parts[0] / f"{parts[1]}.py").is_file()):
        return parts[1]
    return "__init__"


def violations(package: str, root: Path = ROOT) -> list[str]:
    """Every import that breaks a rule, as one line that names the file and the rule."""
    broken = []
    for found in imports_of(package, root):
        where = f"{found.file}:{found.line}"
        if found.target != package:
            if found.target not in PACKAGES[package]:
                allowed = ", ".join(sorted(PACKAGES[package])) or "no package of the project"
                broken.append(f"{where}: {package} imports {found.target}; it may import {allowed}")
        elif package in FLOORS and "__init__" not in (found.room, found.target_room):
            broken += _broken_floor(package, found, where)
    return broken


def _broken_floor(package: str, found: Import, where: str) -> list[str]:
    floors = {room: number for number, floor in enumerate(FLOORS[package]) for room in floor}
    for room in (found.room, found.target_room):
        if room not in floors:
            return [f"{where}: the room {package}/{room} stands on no floor; give it one in ci/rooms.py"]
    if found.room == found.target_room or floors[found.target_room] > floors[found.room]:
        return []
    below = [" or ".join(sorted(floor)) for floor in FLOORS[package][floors[found.room] + 1 :]]
    return [
        f"{where}: {found.room} imports {found.target_room}; it may import only what is below it: {', '.join(below)}"
    ]


def arrows(package: str, root: Path = ROOT) -> dict[str, set[str]]:
    """For each room of a package the other rooms of the package that it imports."""
    inside = (path for path in (root / package).iterdir() if path.suffix == ".py" or any(path.glob("*.py")))
    found: dict[str, set[str]] = {path.stem: set() for path in sorted(inside) if path.stem != "__init__"}
    for one in imports_of(package, root):
        rooms = found.setdefault(one.room, set())
        if one.target == package and one.target_room not in (one.room, "__init__"):
            rooms.add(one.target_room)
    return found


def picture(package: str, root: Path = ROOT) -> str:
    """The rooms of a package as a Mermaid flow chart, without the arrows that another path already says."""
    joined = arrows(package, root)
    lines = ["flowchart TB"]
    for floor in FLOORS[package]:
        for room in sorted(floor & set(joined) - {"__main__"}):
            lines += [f"  {room} --> {target}" for target in sorted(_direct(room, joined))]
    return "\n".join(lines)


def _direct(room: str, joined: dict[str, set[str]]) -> set[str]:
    """The rooms that are imported, less those that another of them imports too: the picture stays readable."""
    others = joined[room]
    reached = {far for near in others for far in _reached(near, joined)}
    return others - reached


def _reached(room: str, joined: dict[str, set[str]]) -> set[str]:
    near = joined.get(room, set())
    return near | {far for one in near for far in _reached(one, joined)}


def main(arguments: list[str]) -> int:
    """Print the rooms; 1 when a rule is broken."""
    broken = []
    for package in PACKAGES:
        if "--picture" in arguments:
            if package in FLOORS:
                print(f"{package}:\n{picture(package)}\n")
            continue
        joined = arrows(package)
        print(f"{package}: {len(joined)} rooms, {sum(map(len, joined.values()))} arrows")
        broken += violations(package)
    print(*broken, sep="\n", end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
