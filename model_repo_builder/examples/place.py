"""Whether there is anything where a plan says that examples are; a name that no file can have is that of nothing."""

from __future__ import annotations

from pathlib import Path


def exists(source: str) -> bool:
    """Whether a file or a directory has this name."""
    try:
        return Path(source).exists()
    except (OSError, ValueError):
        return False


def is_folder(source: str) -> bool:
    """Whether a directory has this name."""
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):
        return False
