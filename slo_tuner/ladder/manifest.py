"""What the builder says of a model, where its folder is at hand."""

import json
from pathlib import Path


def newest_manifest(model: Path) -> dict[str, object]:
    """The manifest of the highest version in a model's folder; empty where there is none that can be read."""
    versions = [folder for folder in model.glob("*/") if folder.name.isdigit()]
    newest = max(versions, key=lambda folder: int(folder.name), default=None)
    if newest is None:
        return {}
    try:
        content = json.loads((newest / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
