"""Load that several workers make together: one schedule dealt out to them, their rows put together again."""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from gevent.event import Event

from command_line.errors import GeneratorError

from . import messages
from .generator import Run
from .master import SILENT_S, LoadMaster
from .messages import Assignment, Start, WorkerReport
from .request_log import Failures, Floats, RequestLog, count_between

Order = Callable[[int], Start]
"""What a worker has to do in the run of this number."""


class Distributed:
    """A load_master that sends the requests of one model.

    The arrivals of an open loop are dealt out at random, so those of each worker are a Poisson process of their own,
    independent of the others' (the colouring theorem: Kingman, Poisson Processes, 1993, section 5.1). Workers that
    start some milliseconds apart therefore still make Poisson arrivals together.
    """

    def __init__(self, load_master: LoadMaster, assignment: Assignment) -> None:
        self._load_master = load_master
        load_master.assign(assignment)

    @property
    def workers(self) -> int:
        return len(self._load_master.workers)

    @property
    def cores(self) -> int | None:
        return os.cpu_count() if self._load_master.local else None

    def open(self, offsets_s: Floats) -> Run:
        shares = deal(offsets_s, self.workers)
        return self._run([partial(Start, offsets_s=share) for share in shares if len(share)])

    def closed(self, users: int) -> Run:
        shares = [users // self.workers + (place < users % self.workers) for place in range(self.workers)]
        return self._run([partial(Start, users=share) for share in shares if share])

    def close(self) -> None:
        """The workers close their connections when they are assigned to the next model, or end."""

    def _run(self, orders: list[Order]) -> Run:
        return DistributedRun(self._load_master, dict(zip(self._load_master.workers, orders, strict=False)))


def deal(offsets_s: Floats, shares: int, seed: int = 0) -> list[Floats]:
    """The send times, shape [n], dealt at random: `shares` arrays, each ascending, together all of them."""
    taker = np.random.default_rng(seed).integers(shares, size=len(offsets_s))
    return [offsets_s[taker == share] for share in range(shares)]


class DistributedRun:
    """A run of several workers (see `generator.Run`); the times of its rows are each worker's own, since its start."""

    def __init__(self, load_master: LoadMaster, orders: Mapping[str, Order]) -> None:
        self._load_master, self._busy, self._changed = load_master, list(orders), Event()
        self._latest: dict[str, WorkerReport] = {}
        self._begun_at: dict[str, float] = {}
        self._heard_at = dict.fromkeys(orders, time.perf_counter())
        self._new: list[RequestLog] = []
        self._failures: Failures = {}
        self._number = load_master.begin(self._receive)
        for worker, order in orders.items():
            load_master.send(messages.START, order(self._number).to_message(), worker)
        self._wait(lambda: len(self._latest) == len(self._busy))
        self.started_at = max(self._begun_at.values())

    @property
    def cpu_s(self) -> float:
        return sum(report.cpu_s for report in self._latest.values())

    def complete_until_s(self) -> float:
        return min(report.complete_until_s for report in self._latest.values())

    def errors_between(self, start: float, end: float) -> dict[str, int]:
        return count_between(self._failures, start, end)

    def take(self) -> RequestLog:
        self._check()
        taken, self._new = self._new, []
        return RequestLog.joined(taken)

    def stop(self) -> None:
        for worker in self._busy:
            self._load_master.send(messages.STOP, {"run": self._number}, worker)

    def join(self, timeout_s: float | None = None) -> bool:
        return self._wait(lambda: all(report.finished for report in self._latest.values()), timeout_s)

    def close(self) -> None:
        self.stop()

    def _receive(self, worker: str, report: WorkerReport) -> None:
        """Take in a report. The first one tells when the worker began, by this process's clock, give or take its way
        here; only when the load is at its full rate and when to end it depend on that, no latency does."""
        if report.run != self._number:
            return
        now = time.perf_counter()
        self._begun_at.setdefault(worker, now - report.complete_until_s)
        self._heard_at[worker] = now
        self._latest[worker] = report
        self._new.append(RequestLog(report.rows))
        for reason, dues in report.failures.items():
            self._failures.setdefault(reason, []).extend(dues)
        self._changed.set()

    def _wait(self, done: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait for reports until `done`; False when the time is over first. GeneratorError when a worker is lost."""
        deadline = time.perf_counter() + (float("inf") if timeout_s is None else timeout_s)
        while not done():
            left = deadline - time.perf_counter()
            if left <= 0:
                return False
            self._changed.clear()
            self._changed.wait(min(1.0, left))
            self._check()
        return True

    def _check(self) -> None:
        self._load_master.check()
        for worker in self._busy:
            silent_s = time.perf_counter() - self._heard_at[worker]
            finished = worker in self._latest and self._latest[worker].finished
            if silent_s > SILENT_S and not finished:
                raise GeneratorError(f"{self._load_master.name(worker)} has not reported for {silent_s:.0f} s")
