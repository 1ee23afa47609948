"""Without any extra each command says in one line which one it needs; help, version and completion need none."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command_line.extras import MissingPackageError, naming_extra, need
from command_line.options import SHELLS
from image_client.cli import main as image_client
from model_repo_builder.cli import main as builder
from slo_tuner.cli import main as tuner
from tfserving_front.cli import main as front

ROOT = Path(__file__).parents[2]
MODULES = {
    "slo-tuner": "slo_tuner",
    "model-repo-builder": "model_repo_builder",
    "tfserving-front": "tfserving_front",
    "image-client": "image_client",
}
# Runs commands in a Python that has the standard library, this project and its own dependencies, and nothing else.
_BARE = """
import contextlib, importlib, io, json, sys

PRESENT = set(sys.stdlib_module_names) | set(json.loads(sys.argv[1]))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in PRESENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for module, arguments in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = importlib.import_module(f"{module}.cli").main(arguments)
        except SystemExit as end:
            code = end.code
    print(json.dumps([code or 0, out.getvalue(), err.getvalue()]))
"""
_DEPENDENCIES = (
    *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "yaml", "_yaml"),
    *("rich", "markdown_it", "mdurl", "pygments", "shtab"),
)
_OWN = (*MODULES.values(), "command_line", "triton_contract", "example_files")

NEEDS = {
    "tuner": [
        ["slo-tuner", "measure", "m", "--address=127.0.0.1:1"],
        ["slo-tuner", "ladder", "--repository=."],
        ["slo-tuner", "tune", "m", "--address=127.0.0.1:1"],
        ["slo-tuner", "sweep", "m", "--through=a=127.0.0.1:1"],
        ["slo-tuner", "tiers", "a", "b", "--address=127.0.0.1:1"],
        ["slo-tuner", "serve", "."],
        ["slo-tuner", "worker", "127.0.0.1:1"],
        ["slo-tuner", "report", "results.json"],
        ["slo-tuner", "cost", "results.json"],
    ],
    "builder": [
        ["model-repo-builder", "build", "plans/tiny.yaml", "--output=models"],
        ["model-repo-builder", "validate", "plans/tiny.yaml"],
        ["model-repo-builder", "config", "plans/tiny.yaml"],
        ["model-repo-builder", "init", "exports/flowers"],
        ["model-repo-builder", "show", "models"],
        ["model-repo-builder", "speed-test", "models"],
    ],
    "front": [["tfserving-front"]],
    "image-client": [["image-client", "photo.jpg"]],
}
FREE = [
    *([name, option] for name in MODULES for option in ("--help", "--version")),
    *([name, "--print-completion", shell] for name in MODULES for shell in SHELLS),
    *(["slo-tuner", command, "--help"] for command in ("measure", "ladder", "tune", "cost", "locustfile")),
    *(["model-repo-builder", command, "--help"] for command in ("build", "speed-test")),
    ["slo-tuner", "locustfile"],
]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def bare() -> dict[str, Ended]:
    """All commands of this file, run in one Python without the packages of any extra; by their words."""
    commands = [*FREE, *(one for some in NEEDS.values() for one in some)]
    asked = json.dumps([[MODULES[one[0]], one[1:]] for one in commands])
    command = [sys.executable, "-c", _BARE, json.dumps([*_DEPENDENCIES, *_OWN]), asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    ended = [Ended(*json.loads(line)) for line in done.stdout.splitlines()]
    return {" ".join(one): how for one, how in zip(commands, ended, strict=True)}


@pytest.mark.parametrize(("extra", "command"), [(extra, one) for extra, some in NEEDS.items() for one in some])
def test_a_command_without_its_extra_names_it_in_one_line(extra: str, command: list[str], bare: Any) -> None:
    ended = bare[" ".join(command)]
    (line,) = ended.err.splitlines()
    assert line.startswith(f"{command[0]}: error: the package ")
    assert line.endswith(
        f" is not installed; the extra {extra} brings it: pip install 'tensorflow-inference-system[{extra}]'"
    )
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize("command", FREE, ids=" ".join)
def test_help_version_and_completion_need_no_extra(command: list[str], bare: Any) -> None:
    ended = bare[" ".join(command)]
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.strip()


@pytest.mark.parametrize("module", MODULES.values())
@pytest.mark.parametrize("version", [(3, 10), (3, 13)])
def test_a_python_that_pip_would_refuse_is_refused_from_a_source_tree(module: str, version: tuple[int, int]) -> None:
    pretended = f"import sys; sys.version_info = ({version[0]}, {version[1]}, 0); import {module}"
    done = subprocess.run([sys.executable, "-c", pretended], capture_output=True, text=True, cwd=ROOT, check=False)
    expected = (
        f"Python {version[0]}.{version[1]} is not supported; allowed: 3.11 or 3.12, as in `python3.12 -m venv .venv`\n"
    )
    assert (done.returncode, done.stderr) == (2, expected)


def test_a_module_of_the_project_that_is_missing_stays_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"slo_tuner\.absent"), naming_extra("tuner"):
        raise ModuleNotFoundError("No module named 'slo_tuner.absent'", name="slo_tuner.absent")


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("s3fs", "s3fs", "s3"), ("transformers", "transformers", "language"), ("PIL.Image", "pillow", "builder")],
)
def test_an_import_that_fails_names_the_extra_that_brings_it(module: str, package: str, extra: str) -> None:
    with pytest.raises(MissingPackageError) as told, naming_extra("builder"):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert str(told.value).startswith(f"the package {package} is not installed; the extra {extra} brings it: ")


def test_a_package_that_is_there_is_not_missed() -> None:
    need("tuner", "json", "rich", "xml.dom")


@pytest.mark.parametrize(
    ("main", "typed", "expected"),
    [
        (tuner, ["slo-tuner", "mea"], "measure"),
        (builder, ["model-repo-builder", "vali"], "validate"),
        (front, ["tfserving-front", "--tri"], "--triton"),
        (image_client, ["image-client", "--write"], "--write-json"),
    ],
)
def test_bash_completes_the_words_of_a_command(
    main: Any, typed: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "bash"])
    assert ended.value.code == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    name = typed[0].replace("-", "_")
    words = f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD=1; _shtab_{name}; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", f"source {script}; {words}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected]
