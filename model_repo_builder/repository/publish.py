"""Staging and atomic publishing: a model repository holds whole variants only, whatever interrupts a build.

Everything is written under REPO/.build, on the same file system, and each finished variant changes places with
the published one in a single system call. What a killed build leaves there is removed by the next one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_repo_builder.errors import InvalidError

STAGING = ".build"
ASIDE = "aside"
AT_FDCWD = -100
RENAME_EXCHANGE = 2
ALLOWED = "a new or empty directory, or a model repository"


def check_output(repository: Path) -> None:
    """Refuse an output path that is a file, cannot be written, or holds something that is no model repository."""
    if repository.is_dir():
        for entry in sorted(repository.iterdir()):
            if not entry.name.startswith(".") and not (entry / "config.pbtxt").is_file():
                raise InvalidError("--output", f"{repository} holds {entry.name}", ALLOWED)
    elif repository.exists() or repository.is_symlink():
        raise InvalidError("--output", f"{repository} is a file", ALLOWED)
    parent = next(path for path in (repository, *repository.absolute().parents) if path.exists())
    if not parent.is_dir():
        raise InvalidError("--output", f"{parent} is a file", ALLOWED)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InvalidError("--output", f"{parent} is not writable", ALLOWED)


@contextmanager
def staging(repository: Path) -> Iterator[Path]:
    """An empty directory inside the repository, held by one build at a time and removed afterwards.

    The lock is on the repository's own directory: it needs no file, and the kernel drops it with the process. Folders
    that were made for it and are empty are removed at the end.
    """
    made = [path for path in (repository, *repository.absolute().parents) if not path.exists()]
    try:
        repository.mkdir(parents=True, exist_ok=True)
        lock = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InvalidError("--output", f"{repository} ({error.strerror})", ALLOWED) from None
    root = repository / STAGING
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidError("--output", f"{repository} is being built by another process", "one build") from None
        recover(repository)
        folder = root / str(os.getpid())
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(root, ignore_errors=True)
    finally:
        os.close(lock)
        for path in made:
            with suppress(OSError):
                path.rmdir()


def recover(repository: Path) -> None:
    """Undo what a killed build left: restore a variant that was moved aside, then remove all staging."""
    root = repository / STAGING
    aside = root / ASIDE
    for entry in sorted(aside.iterdir()) if aside.is_dir() else []:
        if not (repository / entry.name).exists():
            entry.rename(repository / entry.name)
    if root.exists():
        shutil.rmtree(root)


def link_or_copy(file: Path, target: Path) -> None:
    """Have the file at `target` too: as a hard link, or as a copy where file systems, owners or limits forbid links."""
    try:
        target.hardlink_to(file)
    except OSError:
        # Where there can be no copy either, its own error says why.
        shutil.copy2(file, target)


def publish(staged: Path, target: Path) -> None:
    """Put the finished directory `staged` at `target` in one step; the old one is left at `staged`."""
    _sync(staged)
    if not target.exists():
        staged.rename(target)
    elif not exchange(staged, target):
        _replace_in_two_steps(staged, target)
    _sync_directory(target.parent)


def exchange(left: Path, right: Path) -> bool:
    """Swap two directories atomically by renameat2(2); False where the kernel or file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(AT_FDCWD, os.fsencode(left), AT_FDCWD, os.fsencode(right), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(left))


def _replace_in_two_steps(staged: Path, target: Path) -> None:
    """For file systems that cannot exchange: `recover` completes what a kill between the two renames leaves."""
    aside = target.parent / STAGING / ASIDE / target.name
    aside.parent.mkdir(parents=True, exist_ok=True)
    target.rename(aside)
    staged.rename(target)
    shutil.rmtree(aside)


def _sync(folder: Path) -> None:
    """Reach the disk before the name does, so that a power cut cannot publish empty files."""
    for path in folder.rglob("*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
