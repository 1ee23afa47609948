"""The exit codes of every command of the project; docs/reference/exit-codes.md is the same table for users."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's end says to a script."""

    DONE = 0
    """It did what was asked; where an objective was judged, it is kept."""
    FAILED = 1
    """It could not do what was asked, or not all of it."""
    USAGE = 2
    """A wrong option, file or value, or a package that is not installed; nothing was started."""
    NOT_KEPT = 3
    """All was measured, and the objective is not kept."""
    UNKNOWN = 4
    """All was measured, and it does not tell whether the objective is kept: the load was late, or there was none."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; what was complete by then is kept."""
