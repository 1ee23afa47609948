"""The command `slo-tuner worker HOST:PORT`: generates load for the tuner at that address until told to quit."""

import signal
import time
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MASTER_HEARTBEAT_TIMEOUT

from command_line.arguments import split_address
from command_line.errors import GeneratorError, SloTunerError

from .. import __version__
from ..access.client_access import Access
from . import messages
from .generator import LocalLoad, LocalRun, open_load
from .messages import Assignment, Start, WorkerReport

REPORT_S = 0.25
"""How often a worker reports: about as often as a point is judged."""


class Worker:
    """One Locust worker, with the run that it is busy with."""

    def __init__(self, master: str, access: Access) -> None:
        """Connect to the tuner at `master`, HOST:PORT; GeneratorError when none answers for five minutes.

        `access` is how this worker reaches servers that guard themselves.
        """
        self._environment, self._master, self._access = Environment(), master, access
        try:
            self._runner = self._environment.create_worker_runner(*split_address(master))
        except ConnectionError:
            raise GeneratorError(f"no slo-tuner answers at {master}") from None
        self._load: LocalLoad | None = None
        self._runs: dict[int, LocalRun] = {}
        for kind, listener in (
            (messages.ASSIGN, self._assign),
            (messages.START, self._start),
            (messages.STOP, self._stop),
        ):
            self._runner.register_message(kind, listener)

    def work(self) -> None:
        """Serve the master until it sends this worker home; GeneratorError when it is gone for a minute."""
        gevent.signal_handler(signal.SIGTERM, self._leave)
        gevent.signal_handler(signal.SIGINT, self._leave)
        self._runner.send_message(messages.READY, {"version": __version__})
        self._runner.greenlet.join()
        heard_at = self._runner.last_heartbeat_timestamp  # by this machine's clock
        if heard_at is not None and time.time() - heard_at > MASTER_HEARTBEAT_TIMEOUT:
            raise GeneratorError(
                f"the slo-tuner at {self._master} is gone: unheard of for {MASTER_HEARTBEAT_TIMEOUT} s"
            )

    def _leave(self) -> None:
        self._environment.events.quitting.fire(environment=self._environment)
        self._runner.quit()

    def _assign(self, msg: Message, **_: object) -> None:
        try:
            if self._load is not None:
                self._load.close()
            self._load = open_load(Assignment.from_message(msg.data, self._access), self._environment)
        except Exception as error:  # whatever it is, the master has to hear of it: it would wait for reports
            self._fail(error)

    def _start(self, msg: Message, **_: object) -> None:
        try:
            order = Start.from_message(msg.data)
            assert self._load is not None
            due = order.offsets_s
            run = self._load.closed(order.users) if due is None else self._load.open(due)
        except Exception as error:
            self._fail(error)
            return
        self._runs[order.run] = run
        gevent.spawn(self._report, order.run, run)

    def _stop(self, msg: Message, **_: object) -> None:
        if run := self._runs.get(msg.data["run"]):
            run.stop()

    def _fail(self, error: Exception) -> None:
        # What has a line for people needs no name of an exception before it.
        reason = str(error) if isinstance(error, SloTunerError) else f"{type(error).__name__}: {error}"
        self._runner.send_message(messages.FAILED, {"reason": reason[:300]})

    def _report(self, number: int, run: LocalRun) -> None:
        """Report at once, so that the master knows when this worker has begun, then until all is answered."""
        try:
            self._report_until_finished(number, run)
        except Exception as error:
            self._fail(error)

    def _report_until_finished(self, number: int, run: LocalRun) -> None:
        finished = False
        while True:
            report = self._made(number, run, finished)
            self._runner.send_message(messages.REPORT, report)
            if finished:
                break
            finished = run.join(REPORT_S)
        run.close()
        del self._runs[number]

    @staticmethod
    def _made(number: int, run: LocalRun, finished: bool) -> dict[str, Any]:
        complete_until_s = float("inf") if finished else run.complete_until_s()
        return WorkerReport(
            number, complete_until_s, run.take().table, run.take_failures(), run.cpu_s, finished
        ).to_message()


def worker_command(address: str, access: Access) -> int:
    """Work for the tuner at `host:port`; 0 when it is done."""
    Worker(address, access).work()
    return 0
