"""Downloads that Keras makes: whether an error was the network's, and one line that says what it was."""

from __future__ import annotations

import errno

# What only this machine's disk says; errors of sockets have other numbers, or none.
_OF_THE_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EMFILE,
)


def is_unreachable(error: Exception) -> bool:
    """Whether the file could not be had from where it is published; all else is a fault of another kind.

    `keras.utils.get_file` raises a plain Exception, "URL fetch failure on …", for what urllib reports, a ValueError for
    a file that is not the published one, and passes on time-outs and errors of the disk.
    """
    if isinstance(error, OSError):
        return error.errno not in _OF_THE_DISK
    if type(error) is Exception:
        return str(error).startswith("URL fetch failure")
    return isinstance(error, ValueError) and "corrupted" in str(error)


def describe_failure(error: Exception) -> str:
    """The cause in one line; only where it was the network it says `cannot be downloaded`."""
    cause = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return f"cannot be downloaded: {cause}" if is_unreachable(error) else cause
