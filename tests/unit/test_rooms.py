"""The packages keep to their floors: imports run downwards only, and the builder and the front need no tuner."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("rooms", ROOT / "ci" / "rooms.py")
assert _SPEC is not None and _SPEC.loader is not None
rooms = importlib.util.module_from_spec(_SPEC)
sys.modules["rooms"] = rooms
_SPEC.loader.exec_module(rooms)


@pytest.mark.parametrize("package", rooms.PACKAGES)
def test_imports_keep_to_the_rules(package: str) -> None:
    assert rooms.violations(package) == []


def test_the_tuner_is_small_enough_to_be_seen_at_once() -> None:
    joined = rooms.arrows("slo_tuner")
    assert len(joined) <= 22 and sum(map(len, joined.values())) <= 84


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        ("slo_tuner/slo/a.py", "from ..load import users\n", "slo imports load; it may import only what is below it"),
        ("slo_tuner/load/a.py", "def f():\n    from ..triton.control import Control\n", "load imports triton"),
        ("slo_tuner/attic/a.py", "from ..slo import objective\n", "the room slo_tuner/attic stands on no floor"),
        ("tfserving_front/a.py", "import slo_tuner.cli\n", "tfserving_front imports slo_tuner; it may import"),
        ("command_line/a.py", "from triton_contract import metrics\n", "it may import no package of the project"),
    ],
)
def test_a_broken_rule_names_the_file_and_the_rule(file: str, text: str, rule: str, tmp_path: Path) -> None:
    for known in ("slo_tuner/slo/objective.py", "slo_tuner/load/users.py", "slo_tuner/triton/control.py", file):
        (tmp_path / known).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / known).touch()
    (tmp_path / file).write_text(text)
    (line,) = rooms.violations(file.split("/")[0], tmp_path)
    assert line.startswith(f"{file}:") and rule in line


@pytest.mark.parametrize("package", rooms.FLOORS)
def test_the_picture_in_the_architecture_is_the_present_one(package: str) -> None:
    assert rooms.picture(package) in (ROOT / "docs" / "explanation" / "architecture.md").read_text()
