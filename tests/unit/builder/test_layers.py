"""The builder's rooms import only what stands below them."""

import ast
from pathlib import Path

import model_repo_builder

PACKAGE = Path(model_repo_builder.__file__).parent
# From the command down; rooms of one floor don't import one another.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("build", "speed_test", "init_plan"),
    ("report",),
    ("repository",),
    ("sources", "agreement"),
    ("plan",),
    ("engines",),
    ("examples", "bucket"),
    ("signature", "errors", "package_files"),
)
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# They know nothing of the builder, and all may import them.
GROUND = {"command_line", "triton_contract"}


def imports() -> list[tuple[str, str]]:
    """Pairs of rooms: the importing and the imported one."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module == "model_repo_builder":
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("model_repo_builder."):
                names = [str(node.module).split(".")[1]]
            found += [(room, name) for name in names if name != "__version__"]
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__"} == set(FLOOR_OF)


def test_no_import_runs_upwards_or_sideways() -> None:
    wrong = {(a, b) for a, b in imports() if a != b and FLOOR_OF[a] >= FLOOR_OF[b]}
    assert wrong == set()


def test_the_builder_needs_neither_the_tuner_nor_the_front() -> None:
    others = {
        name.split(".")[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }
    assert not others & {"slo_tuner", "tfserving_front", "image_client", "dashboards"}
    assert others >= GROUND
