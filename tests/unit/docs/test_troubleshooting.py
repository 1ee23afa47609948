"""What the page of troubleshooting says is printed, is printed: its commands run, its other messages stand in the code.

A block `console` is a command behind `$ ` and what it prints, in a folder as a new user has it; `…` is any text. A
block `text` is a message that needs a server or a cluster to appear: its parts between `…` stand in the sources.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import saved_model_file
from doc_pages import ROOT

PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"
_CONSOLE = re.compile(r"^```console\n\$ (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MESSAGE = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
SOURCES = ("command_line", "model_repo_builder", "slo_tuner", "ci", "charts/triton/templates", "noxfile.py")
PLANS = {
    "typo.yaml": "model: {name: flowers, source: exports/flowers}\n"
    "variants:\n  - {name: onnx_int8, engine: onnxruntime, precison: int8}\n",
    "flowers.yaml": "model: {name: flowers, source: exports/flowers}\n"
    "calibration: {images: photos}\n"
    "variants:\n  - {name: onnx_int8, engine: onnxruntime, precision: int8}\n",
    "ranking.yaml": "model: {name: ranking, source: exports/ranking}\n"
    "calibration: {arrays: 'synthetic:1'}\n"
    "variants:\n  - {name: openvino_int8, engine: openvino, precision: int8}\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who begins: plans, SavedModels, photographs, an empty repository, and no tritonserver."""
    folder = tmp_path_factory.mktemp("beginner")
    for name in ("charts", "values", "plans", "ci", "images"):
        (folder / name).symlink_to(ROOT / name)
    for name, text in PLANS.items():
        (folder / name).write_text(text)
    image, row = {"image": (-1, 224, 224, 3)}, {"row": (-1, 8)}
    saved_model_file.write(folder / "exports" / "flowers", image, {"scores": (-1, 5)})
    saved_model_file.write(folder / "exports" / "ranking", row, {"score": (-1, 1)})
    (folder / "models").mkdir()
    (folder / "built" / "onnx_int8" / "1").mkdir(parents=True)
    from PIL import Image

    (folder / "photos").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "photos" / "rose.png")
    return folder


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with this checkout's commands, Python and Helm, and no Docker, no tritonserver and no cluster."""
    from tools import helm

    folder = tmp_path_factory.mktemp("programs")
    modules = {"slo-tuner": "slo_tuner", "model-repo-builder": "model_repo_builder", "python3": ""}
    for name, module in modules.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {f"-m {module}" if module else ""} "$@"\n')
        (folder / name).chmod(0o755)
    for name in ("sh", "bash", "env", "git"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    (folder / "helm").symlink_to(helm())
    return str(folder)


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# A command imports for a second.
@pytest.mark.slow
@pytest.mark.parametrize(("command", "printed"), _CONSOLE.findall(PAGE.read_text()), ids=lambda text: text[:60])
def test_a_command_prints_what_the_page_says(
    command: str, printed: str, folder: Path, programs: str, taken: int
) -> None:
    # The page says 8000; here any port may be taken.
    written = command.replace("--http-port 8000", f"--http-port {taken}")
    environment = {"PATH": programs, "HOME": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", written],
        cwd=folder,
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    expected = re.escape(printed.replace("port: 8000", f"port: {taken}")).replace("…", ".*")
    assert re.fullmatch(expected, done.stdout, re.DOTALL), done.stdout


@pytest.mark.parametrize("message", _MESSAGE.findall(PAGE.read_text()), ids=lambda text: text[:60])
def test_a_message_stands_in_the_sources(message: str, sources: str) -> None:
    # Between what changes, names in quotes and numbers, and what one part of the program puts before another's words.
    parts = [part.strip() for part in re.split(r"…|'\w+'|(?<![\w.])[\d.]+(?![\w.])|[:;] |(?<=met) |\n", message)]
    missing = [part for part in parts if len(part) > 2 and part not in sources]
    assert not missing


@pytest.fixture(scope="module")
def sources() -> str:
    """The text of all sources, with the pieces of a string that stands on several lines joined."""
    files = [file for name in SOURCES for file in ([ROOT / name] if "." in name else (ROOT / name).rglob("*.*"))]
    texts = [file.read_text(encoding="utf-8") for file in files if file.suffix in (".py", ".yaml", ".tpl")]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts)).replace("{{", "{").replace("}}", "}")


def test_the_page_has_twelve_mistakes_at_least() -> None:
    assert len(re.findall(r"^### ", PAGE.read_text(), re.MULTILINE)) >= 12
