"""Processes that belong to the tuner: their output in a log, and none of them outlives it, however it ends."""

import ctypes
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

Child = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1
# Found before any fork: loading a library in a child may wait for a lock that a thread held when the parent forked.
_prctl = ctypes.CDLL(None).prctl


class Started(ABC):
    """What is started with a `with` block and stopped at its end, also when its start fails or is interrupted."""

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """End whatever of it has been started."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def start_child(
    command: Sequence[str], log: IO[bytes], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """Start a program in a session of its own: Ctrl-C reaches the tuner alone, which ends its children in order."""
    return subprocess.Popen(
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=env,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=partial(_end_with_parent, os.getpid()),
    )


def end_children(children: Sequence[Child], patience_s: float) -> None:
    """End them politely, after `patience_s` by force, and everything that they started with them."""
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _end_with_parent(parent: int) -> None:
    """Have the kernel end the child when the tuner is killed and can't; runs in the child, after the fork."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was killed before the kernel knew
        os._exit(1)
