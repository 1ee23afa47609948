"""A load_master of load workers: Locust's master in this process, and the workers that come to its port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc import Message

from command_line.errors import GeneratorError

from .. import __version__
from ..child_process import Started
from . import messages
from .messages import Assignment, WorkerReport
from .worker_processes import WorkerProcesses

WITHIN_S = 60.0
SILENT_S = 15.0
"""A worker that has not reported for so long, while it should every 0.25 s, counts as lost."""

Receive = Callable[[str, WorkerReport], None]


@dataclass(frozen=True)
class WorkerRendezvous:
    """How many workers are waited for, for how many seconds, and at which address and port (0: a free one)."""

    count: int
    host: str = "127.0.0.1"
    port: int = 0
    within_s: float = WITHIN_S


class LoadMaster(Started):
    """Workers, as a context manager: they come once, serve every measurement in it, and are sent home at its end.

    With `processes` they are started on this machine; else they come from wherever `slo-tuner worker` runs. Their
    clocks need not agree with this one's: they report times since their own start.
    """

    def __init__(self, rendezvous: WorkerRendezvous, processes: WorkerProcesses | None = None) -> None:
        self._rendezvous, self._processes = rendezvous, processes
        self._runner: Any = None
        self._ready: list[str] = []
        self._failure = ""
        self._receive: Receive | None = None
        self._runs = 0

    def start(self) -> None:
        """Open the port and wait for the workers; GeneratorError where they do not come in time."""
        self._runner = Environment().create_master_runner(self._rendezvous.host, self._rendezvous.port)
        for kind, listener in (
            (messages.READY, self._on_ready),
            (messages.REPORT, self._on_report),
            (messages.FAILED, self._on_failed),
        ):
            self._runner.register_message(kind, listener)
        if self._processes:
            self._processes.start(self._rendezvous.count, self.address)
        self._wait_until_ready()

    @property
    def address(self) -> str:
        """Where the workers come to."""
        host = self._rendezvous.host
        return f"{f'[{host}]' if ':' in host else host}:{self._runner.server.port}"

    @property
    def local(self) -> bool:
        """Whether the workers are processes of this machine."""
        return self._processes is not None

    @property
    def workers(self) -> list[str]:
        """Their ids, in the order in which they came."""
        return list(self._ready)

    @property
    def hosts(self) -> list[str]:
        """Where they run, in the same order."""
        return [_host(worker) for worker in self._ready]

    def stop(self) -> None:
        """End the workers, and the port that they came to."""
        if self._processes:
            self._processes.stop()
        if self._runner is None:  # its port was taken
            return
        if not self._processes:
            self._runner.quit()
        self._runner.greenlet.kill()
        self._runner.server.close(linger=0)

    def assign(self, assignment: Assignment) -> None:
        """Tell every worker what it will send from now on; whatever went wrong with the last assignment is past."""
        self._failure = ""
        for worker in self._ready:
            self.send(messages.ASSIGN, assignment.to_message(), worker)

    def send(self, kind: str, data: dict[str, Any] | None, worker: str) -> None:
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
        if self._processes:
            self._processes.check()
        for worker in self._ready:
            if worker not in self._runner.clients:
                raise GeneratorError(f"{self.name(worker)} has left")

    def name(self, worker: str) -> str:
        """A worker for people: which of how many, and where it runs."""
        return f"load worker {self._ready.index(worker) + 1} of {self._rendezvous.count} (on {_host(worker)})"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._rendezvous.within_s
        while len(self._ready) < self._rendezvous.count:
            self.check()
            if time.monotonic() > deadline:
                raise GeneratorError(self._missing())
            gevent.sleep(0.05)

    def _missing(self) -> str:
        came = f"{len(self._ready)} of {self._rendezvous.count} load workers came to {self.address}"
        known = self._processes.last_words() if self._processes else ", ".join(self.hosts)
        return f"{came} within {self._rendezvous.within_s:g} s{known and '; ' + known}"

    def _on_ready(self, msg: Message, **_: object) -> None:
        version = msg.data["version"]
        if len(self._ready) == self._rendezvous.count:  # the load of a run under way is dealt out already
            self.send("quit", None, msg.node_id)
        elif version != __version__:
            self._failure = f"the load worker on {_host(msg.node_id)} is slo-tuner {version}, this is {__version__}"
        else:
            self._ready.append(msg.node_id)

    def _on_report(self, msg: Message, **_: object) -> None:
        if self._receive is not None:
            self._receive(msg.node_id, WorkerReport.from_message(msg.data))

    def _on_failed(self, msg: Message, **_: object) -> None:
        self._failure = self._failure or f"{self.name(msg.node_id)} failed: {msg.data['reason']}"


def _host(worker: str) -> str:
    """Where a worker runs: Locust's ids are HOST_RANDOM; a Pod's host is its name."""
    return worker.rpartition("_")[0]
