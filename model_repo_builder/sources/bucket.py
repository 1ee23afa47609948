"""A SavedModel in object storage as a local directory: downloaded once, and again only when it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from functools import cache
from pathlib import Path

from model_repo_builder.bucket import Bucket
from model_repo_builder.errors import InvalidError

LISTING = "listing.json"
FIELD = "model.source"


def cached(url: str) -> Path:
    """The directory of this machine's cache that belongs to a URL."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "model-repo-builder" / hashlib.sha256(url.encode()).hexdigest()[:16]


def check(url: str) -> None:
    """Stop where there is no SavedModel at `url`, before anything is downloaded."""
    if Bucket(FIELD, url).read("saved_model.pb") is None:
        raise InvalidError(FIELD, f"{url} holds no saved_model.pb", "a SavedModel directory")


@cache
def fetch(url: str) -> Path:
    """The local copy of the SavedModel; within one process it stays as it was first seen."""
    bucket = Bucket(FIELD, url)
    present = bucket.files()
    folder = cached(url)
    listing, copy = folder / LISTING, folder / "model"
    if listing.is_file() and json.loads(listing.read_text(encoding="utf-8")) == present:
        return copy
    shutil.rmtree(folder, ignore_errors=True)
    for name in present:
        bucket.download(name, copy / name)
    # Written last: a download that was cut short has no listing, and begins anew.
    listing.write_text(json.dumps(present), encoding="utf-8")
    return copy
