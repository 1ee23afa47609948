"""The model.py of the python runtime: an engine's loader and the serving part, joined into one file.

The server's environment has NumPy and the framework but not this package, so the file stands alone.
"""

from pathlib import Path

PARTS = Path(__file__).parent / "runtime_python"


def generate(loader: str) -> str:
    """The source of model.py with the loader `runtime_python/load_LOADER.py`, which an engine names."""
    parts = [PARTS / f"load_{loader}.py", PARTS / "serve.py"]
    return "\n\n".join(part.read_text(encoding="utf-8").strip() for part in parts) + "\n"
