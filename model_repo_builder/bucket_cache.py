"""This machine's copies of what is in buckets, each used by one process at a time where it changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_repo_builder.errors import BuildError, InvalidError


def cached(url: str, kind: str = "repositories") -> Path:
    """The directory of this machine's cache that belongs to a URL: a repository, or one of the `sources`."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "model-repo-builder" / kind / hashlib.sha256(url.encode()).hexdigest()[:16]


@contextmanager
def held(folder: Path, field: str, busy: str = "") -> Iterator[None]:
    """Nobody else holds the directory meanwhile; waits for a process that does, or raises `busy` as InvalidError.

    The lock is on a file beside the directory. The kernel drops it with the process, however that ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        allowed = "a cache that can be written to, at XDG_CACHE_HOME or ~/.cache"
        raise BuildError(f"{field}: {folder} ({error.strerror}); allowed: {allowed}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise InvalidError(field, busy, "one build") from None
        yield
    finally:
        os.close(lock)
