"""The model.py of the python runtime: an engine's loader and the serving part, joined into one file.

The server's environment has NumPy and the framework but not this package, so the file stands alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from model_repo_builder.examples import image_pixels

if TYPE_CHECKING:
    Arrays = dict[str, Any]
    Load = Callable[[Path, dict[str, str], int | None, list[str]], Callable[[Arrays], Arrays]]

PARTS = Path(__file__).parent / "runtime_python"


def generate(loader: str, *, encoded_images: bool = False) -> str:
    """The source of model.py with the loader `runtime_python/load_LOADER.py`, which an engine names.

    With `encoded_images` it decodes by the code that decodes images for calibration and for `image-client`.
    """
    decoding = [Path(str(image_pixels.__file__)), PARTS / "decode_images.py"] if encoded_images else []
    parts = [PARTS / f"{_part(loader)}.py", *decoding, PARTS / "batching.py", PARTS / "serve.py"]
    return "\n\n".join(part.read_text(encoding="utf-8").strip() for part in parts) + "\n"


def load(loader: str) -> Load:
    """The function `load` of that model.py, to execute an artefact without a server."""
    return cast("Load", importlib.import_module(f"model_repo_builder.repository.runtime_python.{_part(loader)}").load)


def _part(loader: str) -> str:
    return f"load_{loader}"
