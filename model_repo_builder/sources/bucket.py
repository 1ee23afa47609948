"""A SavedModel in object storage as a local directory: downloaded once, and again only when it has changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from functools import cache
from pathlib import Path

from model_repo_builder.bucket import Bucket
from model_repo_builder.bucket_cache import cached, held
from model_repo_builder.errors import BuildError, InvalidError

FIELD = "model.source"
PARTIAL = "partial"
# The copies that this process reads, each with a shared lock that the kernel drops with the process.
_IN_USE: dict[Path, int] = {}


def check(url: str) -> None:
    """Stop where there is no SavedModel at `url`, before anything is downloaded."""
    if Bucket(FIELD, url).read("saved_model.pb") is None:
        raise InvalidError(FIELD, f"{url} holds no saved_model.pb", "a SavedModel directory")


@cache
def fetch(url: str) -> Path:
    """The local copy of the SavedModel; within one process it stays as it was first seen.

    Each content has a directory of its own, which gets its name when all of it is there, and stays while a process
    reads it. Of several processes one downloads, and the others wait for it. BuildError when the bucket changes
    meanwhile.
    """
    bucket = Bucket(FIELD, url)
    folder = cached(url, "sources")
    with held(folder, FIELD):
        present = bucket.files()
        copy = folder / hashlib.sha256(json.dumps(present, sort_keys=True).encode()).hexdigest()[:16]
        for other in folder.iterdir():
            if other != copy:
                _discard(other)
        if not copy.is_dir():
            _download(bucket, present, folder / PARTIAL)
            (folder / PARTIAL).rename(copy)
        _use(copy)
    return copy


def _download(bucket: Bucket, present: dict[str, str], target: Path) -> None:
    target.mkdir()
    for name in present:
        bucket.download(name, target / name)
    if bucket.files() != present:
        shutil.rmtree(target)
        raise BuildError(f"{FIELD}: {bucket.url} changed while it was downloaded; allowed: a finished SavedModel")


def _use(copy: Path) -> None:
    """Keep other processes from removing the copy until this one ends."""
    if copy not in _IN_USE:
        _IN_USE[copy] = os.open(copy, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(_IN_USE[copy], fcntl.LOCK_SH)


def _discard(copy: Path) -> None:
    """Remove a copy that nobody reads: of what the bucket held before, or half of one that a killed process left."""
    lock = os.open(copy, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(copy)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
