"""A crew of load workers: Locust's master in this process, and worker processes that end with it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gevent
from locust.env import Environment
from locust.rpc import Message

from . import messages
from .child_process import Child, end_children, start_child
from .errors import GeneratorError
from .messages import Assignment, Report

START_S = 60.0
STOP_S = 5.0
SILENT_S = 15.0
"""A worker that has not reported for so long, while it should every 0.25 s, counts as lost."""

Receive = Callable[[str, Report], None]


class Crew:
    """`count` workers on this machine, as a context manager: they start once and serve every measurement in it.

    Nothing here needs them to be on this machine, or their clocks to agree: they come to a port, say that they are
    ready, and report times since their own start.
    """

    def __init__(self, count: int, log: Path) -> None:
        self._count, self._log = count, log
        self._processes: list[Child] = []
        self._ready: list[str] = []
        self._failure = ""
        self._receive: Receive | None = None
        self._runs = 0

    def __enter__(self) -> Self:
        self._runner = Environment().create_master_runner("127.0.0.1", 0)
        for kind, listener in (
            (messages.READY, self._on_ready),
            (messages.REPORT, self._on_report),
            (messages.FAILED, self._on_failed),
        ):
            self._runner.register_message(kind, listener)
        try:
            self._start_processes()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def workers(self) -> list[str]:
        """Their ids, in the order in which they came."""
        return list(self._ready)

    def stop(self) -> None:
        """End the workers, and the port that they came to."""
        end_children(self._processes, STOP_S)
        self._runner.greenlet.kill()
        self._runner.server.close(linger=0)

    def assign(self, assignment: Assignment) -> None:
        """Tell every worker what it will send from now on; whatever went wrong with the last assignment is past."""
        self._failure = ""
        for worker in self._ready:
            self.send(messages.ASSIGN, assignment.to_message(), worker)

    def send(self, kind: str, data: dict[str, Any], worker: str) -> None:
        """Send a message to one of the workers."""
        self._runner.send_message(kind, data, worker)

    def begin(self, receive: Receive) -> int:
        """The number of a new run, and `receive` gets every report from now on: late ones of other runs too."""
        self._receive = receive
        self._runs += 1
        return self._runs

    def check(self) -> None:
        """GeneratorError when a worker has failed, ended or left."""
        if self._failure:
            raise GeneratorError(self._failure)
        for number, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                raise GeneratorError(
                    f"load worker {number} of {self._count} ended with exit code {process.returncode}; "
                    f"{self._last_words()}"
                )
        for worker in self._ready:
            if worker not in self._runner.clients:
                raise GeneratorError(f"{self.name(worker)} has left")

    def name(self, worker: str) -> str:
        """A worker for people: which of how many, and where it runs."""
        number = self._ready.index(worker) + 1
        return f"load worker {number} of {self._count} (on {worker.rpartition('_')[0]})"

    def _start_processes(self) -> None:
        command = [sys.executable, "-m", "slo_tuner", "worker", f"127.0.0.1:{self._runner.server.port}"]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            for _ in range(self._count):
                # The directory of this package is where -m looks first: all processes run the same code.
                self._processes.append(start_child(command, log, cwd=Path(__file__).parents[1]))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while len(self._ready) < self._count:
            self.check()
            if time.monotonic() > deadline:
                raise GeneratorError(
                    f"{len(self._ready)} of {self._count} load workers were ready after {START_S:g} s; "
                    f"{self._last_words()}"
                )
            gevent.sleep(0.05)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return f"{lines[-1].strip()[:300] if lines else 'it said nothing'} (log: {self._log})"

    def _on_ready(self, msg: Message, **_: object) -> None:
        self._ready.append(msg.node_id)

    def _on_report(self, msg: Message, **_: object) -> None:
        if self._receive is not None:
            self._receive(msg.node_id, Report.from_message(msg.data))

    def _on_failed(self, msg: Message, **_: object) -> None:
        self._failure = self._failure or f"{self.name(msg.node_id)} failed: {msg.data['reason']}"
