"""Every error that the builder reports, each as one line that names a field, its value and what is allowed."""

from __future__ import annotations

from command_line.errors import SloTunerError
from command_line.exit_codes import ExitCode


class BuilderError(SloTunerError):
    """A failure that the user sees as one line; `exit_code` is the command's exit status."""


class InvalidError(BuilderError):
    """A value that cannot be accepted: in a plan, a source, calibration images or an output path."""

    exit_code = ExitCode.USAGE

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(
            f"{_shortened(_printable(field))}: {_shortened(_printable(value))}; allowed: {_printable(allowed)}"
        )
        self.field = field


class BuildError(BuilderError):
    """A valid plan whose work could not be done; nothing was published."""


class UnsupportedError(BuildError):
    """An engine can't convert this model; the other variants of the plan can still be built."""


# Lines of an error that name the framework's own code.
_NOT_ABOUT_IT = ("Detected at", "<stack traces", "Exception from", "Check '", "  ")


def first_line(error: Exception) -> str:
    """The first line of what a framework says that is about the model, of at most 300 characters."""
    text = str(error).replace("Graph execution error:", "").strip()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(_NOT_ABOUT_IT)]
    return (lines or [type(error).__name__])[0][:300]


def _printable(value: object) -> str:
    """On one line, with what can't be printed escaped."""
    words = " ".join(str(value).split())
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in words)


def _shortened(text: str) -> str:
    """Without the middle of a long value: its end may say what is wrong with it."""
    return text if len(text) <= 300 else f"{text[:197]}...{text[-100:]}"
