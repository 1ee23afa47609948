"""Every error that a command reports to its user, each with the exit code it ends with."""

from command_line.exit_codes import ExitCode

_LONGEST = 300
"""Of a value, so many characters are shown."""


class SloTunerError(Exception):
    """Work that could not be done. The message is one line for a person."""

    exit_code = ExitCode.FAILED


class UsageError(SloTunerError):
    """A wrong option, file or value: nothing was started.

    The message names the field, the value, and what is allowed.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = repr(value)
        if len(shown) > _LONGEST:
            shown = f"{shown[:_LONGEST]}..."
        super().__init__(f"{field}: {shown} is not allowed; {allowed}")


class ServerError(SloTunerError):
    """The server could not be started, reached or kept alive, or refused what was asked of it."""


class ModelError(SloTunerError):
    """A model that is not there, cannot be loaded, or cannot be sent generated inputs."""


class ResultsError(SloTunerError):
    """Results that cannot be written, or saved in a cluster."""


class ResultsFileError(SloTunerError):
    """A file that was named as results, and is none or can't be read: as wrong as an option."""

    exit_code = ExitCode.USAGE


class GeneratorError(SloTunerError):
    """A worker of the load generator that did not start, ended, or fell silent."""
