"""The model.py of the python runtime: an engine's loader and the serving part, joined into one file.

The server's environment has NumPy and the framework but not this package, so the file stands alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    Arrays = dict[str, Any]
    Load = Callable[[Path, dict[str, str], int | None, list[str]], Callable[[Arrays], Arrays]]

PARTS = Path(__file__).parent / "runtime_python"


def generate(loader: str) -> str:
    """The source of model.py with the loader `runtime_python/load_LOADER.py`, which an engine names."""
    parts = [PARTS / f"{name}.py" for name in (_part(loader), "batching", "serve")]
    return "\n\n".join(part.read_text(encoding="utf-8").strip() for part in parts) + "\n"


def load(loader: str) -> Load:
    """The function `load` of that model.py, to execute an artefact without a server."""
    return cast("Load", importlib.import_module(f"model_repo_builder.repository.runtime_python.{_part(loader)}").load)


def _part(loader: str) -> str:
    return f"load_{loader}"
