"""How every command begins and ends: its standard streams, and every failure one line and an exit code."""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO, cast

from .errors import SloTunerError
from .exit_codes import ExitCode


def run_command(name: str, work: Callable[[], int], interrupted: Callable[[], str] = lambda: "interrupted") -> int:
    """The exit code of `work`; what it raises becomes a line on standard error, which begins with the command's name.

    `interrupted` says what Ctrl-C or SIGTERM has left. SystemExit goes on, and so does what only a defect raises.
    """
    _open_streams()
    try:
        with _terminated_as_interrupted():
            try:
                return int(work())
            finally:
                # Python would find out only while it ends, and print what nobody understands.
                sys.stdout.flush()
    except SloTunerError as error:
        return _fail(f"{name}: error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _fail(f"{name}: {interrupted()}", ExitCode.INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{name}: error: {where}{error.strerror or error}", ExitCode.FAILED)
    except RecursionError:
        return _fail(f"{name}: error: what it was given is nested too deeply to be read", ExitCode.FAILED)
    except MemoryError:
        return _fail(f"{name}: error: what it was given does not fit into the memory of this machine", ExitCode.FAILED)


def _fail(line: str, code: ExitCode) -> int:
    # Whoever read it may be gone.
    with contextlib.suppress(OSError):
        print(" ".join(line.splitlines()), file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # What was not written is written again when Python ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    return code


class _Named(io.FileIO):
    """A standard stream whose errors name it, as those of a file name the file."""

    def __init__(self, number: int, title: str) -> None:
        super().__init__(number, "wb", closefd=False)
        self._title = title

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._title) from None


def _open_streams() -> None:
    """Standard streams that the caller has closed lead nowhere, and every character can be printed.

    Without it the first file that is opened takes a closed stream's number, and all that children print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = _named(sys.stdout, 1, "standard output")
    sys.stderr = _named(sys.stderr, 2, "standard error")


def _named(stream: TextIO | None, number: int, title: str) -> TextIO:
    raw = _Named(number, title)
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace")
    try:
        own = stream.fileno() == number and isinstance(stream, io.TextIOWrapper)
    except OSError:
        own = False
    if not own:
        return stream  # a test or a caller in Python reads it
    stream.flush()
    # With PYTHONUNBUFFERED, as containers have it, there is no buffer between.
    unbuffered = isinstance(stream.buffer, io.RawIOBase)
    return io.TextIOWrapper(
        cast(io.BufferedWriter, raw) if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        # Names of files need not be text, and a terminal's encoding may lack the sign for micro.
        errors="backslashreplace",
        line_buffering=number == 2 or os.isatty(number),
        write_through=unbuffered,
    )


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does: what was begun is taken back."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
