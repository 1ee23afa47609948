"""Workers that come to the tuner from elsewhere make the same load; one that is missing or lost is named."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from locust.env import Environment
from locust.runners import WorkerRunner
from trivial import assignment

from command_line.errors import GeneratorError
from slo_tuner import __version__
from slo_tuner.load import messages
from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.load.distributed import Distributed
from slo_tuner.load.master import LoadMaster, WorkerRendezvous

pytestmark = pytest.mark.slow

HOST = socket.gethostname()
WORKER = "import sys; from slo_tuner.cli import main; sys.exit(main(['worker', sys.argv[1]]))"
# As on another machine, which was started at another time.
OTHER_CLOCK = """
import time
here = time.perf_counter
time.perf_counter = lambda: here() + 1e6
"""


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _started(port: int, *programs: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes that somebody else has started, before the tuner even listens."""
    processes = [subprocess.Popen([sys.executable, "-c", text, f"127.0.0.1:{port}"]) for text in programs]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _come(port: int, version: str = __version__) -> WorkerRunner:
    """A worker in this process, which does nothing."""
    runner = Environment().create_worker_runner("127.0.0.1", port)
    runner.send_message(messages.READY, {"version": version})
    return runner


def test_workers_from_elsewhere_send_one_schedule_whatever_their_clocks_say(port: int, address: str) -> None:
    schedule = poisson_arrivals(100.0, 1.0, 3)
    with _started(port, WORKER, OTHER_CLOCK + WORKER) as processes:
        with LoadMaster(WorkerRendezvous(2, "127.0.0.1", port)) as load_master:
            assert load_master.hosts == [HOST, HOST]
            run = Distributed(load_master, assignment(address)).open(schedule)
            assert run.join(20)
            rows = run.take()
        assert sorted(rows.due.tolist()) == schedule.tolist()
        assert rows.ok.all() and rows.latency_ms.min() > 0 and rows.latency_ms.max() < 2000
        assert [process.wait(20) for process in processes] == [0, 0], "they end with the tuner"


def test_a_worker_that_is_lost_midway_is_named(port: int, address: str) -> None:
    with _started(port, WORKER) as (process,), LoadMaster(WorkerRendezvous(1, "127.0.0.1", port)) as load_master:
        run = Distributed(load_master, assignment(address)).closed(1)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(GeneratorError, match=rf"^load worker 1 of 1 \(on {HOST}\) has left$"):
            run.join(10)


def test_workers_that_do_not_come_are_counted(port: int) -> None:
    coming = gevent.spawn(_come, port)
    with pytest.raises(GeneratorError) as raised, LoadMaster(WorkerRendezvous(2, "127.0.0.1", port, within_s=1.0)):
        pass
    assert str(raised.value) == f"1 of 2 load workers came to 127.0.0.1:{port} within 1 s; {HOST}"
    coming.get().quit()


def test_a_worker_of_another_version_is_refused(port: int) -> None:
    coming = gevent.spawn(_come, port, "0.0.1")
    with pytest.raises(GeneratorError, match=rf"the load worker on {HOST} is slo-tuner 0\.0\.1, this is {__version__}"):
        LoadMaster(WorkerRendezvous(1, "127.0.0.1", port)).__enter__()
    coming.get().quit()


def test_more_workers_than_asked_for_are_sent_home(port: int) -> None:
    first = gevent.spawn(_come, port)
    with LoadMaster(WorkerRendezvous(1, "127.0.0.1", port)) as load_master:
        second = _come(port)
        assert second.greenlet.join(10), "it was told to quit"
        assert len(load_master.workers) == 1
    first.get().quit()
