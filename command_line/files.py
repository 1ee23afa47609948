"""Files and folders that a command leaves: whole ones or none, and one command at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UsageError


def write_whole(path: Path, text: str) -> None:
    """Write a text file, and its folder where there is none; a reader never sees half of it.

    OSError when that can't be done: then what was there is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A pipe or a device, such as /dev/stdout, is written to and not replaced.
        path.write_text(text, encoding="utf-8")
        return
    target = path.resolve()
    beside = target.with_name(f".{target.name[:60]}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def check_output(path: Path, field: str = "output") -> Path:
    """A folder that can be written to or made; UsageError otherwise. Nothing is made."""
    try:
        there = next(one for one in (path, *path.absolute().parents) if one.exists() or one.is_symlink())
    except OSError as error:
        raise UsageError(field, str(path), f"it must be a directory ({error.strerror})") from None
    if not there.is_dir():
        raise UsageError(field, str(path), f"it must be a directory ({there} is none)")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(field, str(path), "the directory is not writable")
    return path


@contextmanager
def output_folder(path: Path, field: str = "output") -> Iterator[None]:
    """A folder for one command at a time, made where there is none; what was made and is empty is removed at the end.

    The lock is on the folder itself: it needs no file, and the kernel drops it with the process. UsageError when the
    folder can't be made, or another command has it.
    """
    missing = [one for one in (path, *path.absolute().parents) if not one.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(field, str(path), f"it must be a directory ({error.strerror})") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(field, str(path), "another command is writing there; give each a folder") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(lock)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
