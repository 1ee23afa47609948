"""Load from real worker processes through Locust's master and workers, against a server that answers at once."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from known_server import known_server
from trivial import assignment

from command_line.errors import GeneratorError
from slo_tuner.load import distributed
from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.load.distributed import Distributed, deal
from slo_tuner.load.master import LoadMaster, WorkerRendezvous
from slo_tuner.load.worker_processes import WorkerProcesses
from slo_tuner.measurement.closed_loop import measure_closed
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.slo.objective import Objective

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def load_master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadMaster]:
    """Two workers."""
    with LoadMaster(
        WorkerRendezvous(2), WorkerProcesses(tmp_path_factory.mktemp("load_master") / "workers.log")
    ) as started:
        yield started


def _workers() -> list[int]:
    """The worker processes that this one has started."""
    return [child.pid for child in psutil.Process().children() if "worker" in child.cmdline()]


def test_two_workers_send_the_schedule_of_one(load_master: LoadMaster, address: str) -> None:
    timing = Timing(warm_up_s=0.3, duration_s=1.0, least_s=1.0, sequential=False)
    target = Target("m", Distributed(load_master, assignment(address)), None)
    measured = measure_point(target, Objective(limit_ms=500), PointSpec(100.0, "single", 1, seed=3), timing)
    schedule = poisson_arrivals(100.0, 1.3, 3)
    assert measured.rows.due.tolist() == schedule[schedule >= 0.3].tolist()
    assert measured.point.kept and measured.point.errors == 0
    assert measured.point.requests == measured.point.due == len(measured.rows)
    assert measured.point.generator_cpu_ms > 0


def test_a_certain_verdict_ends_the_load_of_all_workers(load_master: LoadMaster, address: str) -> None:
    timing = Timing(warm_up_s=0.2, duration_s=60.0, least_s=0.5, sequential=True)
    target = Target("m", Distributed(load_master, assignment(address)), None)
    begin = time.perf_counter()
    point = measure_point(target, Objective(limit_ms=500), PointSpec(200.0, "single", 1, seed=3), timing).point
    assert point.certain and point.kept and point.requests == point.due
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("concurrency", [1, 3])
def test_requests_in_flight_are_shared_out(load_master: LoadMaster, concurrency: int) -> None:
    """A request takes 25 ms: against that it does not matter when a busy machine notices the answer."""
    with known_server("fixed", 25) as server:
        generator = Distributed(load_master, assignment(server.address))
        point = measure_closed(Target("m", generator, None), concurrency, 1.0, 0.2)
    assert point.requests > 10 and point.errors == 0
    # Little's law: what is in flight on average is the rate times the time that a request takes.
    assert point.rate_per_s * point.latency.mean_ms / 1000 == pytest.approx(concurrency, rel=0.35)


def test_errors_come_back_by_their_reason(load_master: LoadMaster) -> None:
    run = Distributed(load_master, assignment("127.0.0.1:9")).open(np.linspace(0, 0.2, 20))
    assert run.join(20)
    rows = run.take()
    assert len(rows) == 20 and not rows.ok.any()
    errors = run.errors_between(0.0, 1.0)
    assert sum(errors.values()) == 20 and all(reason.startswith("UNAVAILABLE") for reason in errors)
    counted = run.errors_between(0.1, 1.0)
    assert sum(counted.values()) == (rows.due >= 0.1).sum(), "what is due before does not count"


def test_a_worker_that_cannot_do_its_work_says_why(load_master: LoadMaster) -> None:
    generator = Distributed(load_master, assignment("127.0.0.1:9", protocol="carrier-pigeon"))
    with pytest.raises(GeneratorError, match=r"load worker \d of 2 \(on .+\) failed: .*carrier-pigeon"):
        generator.closed(2)


def test_workers_that_are_lost_end_the_measurement_with_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = _workers()
    with LoadMaster(WorkerRendezvous(2), WorkerProcesses(tmp_path / "log")) as load_master:
        first, second = sorted(set(_workers()) - set(others))
        run = Distributed(load_master, assignment(address)).closed(2)
        os.kill(first, signal.SIGSTOP)
        monkeypatch.setattr(distributed, "SILENT_S", 1.0)
        with pytest.raises(GeneratorError, match=r"load worker \d of 2 \(on .+\) has not reported for \d+ s"):
            run.join(10)
        monkeypatch.undo()
        os.kill(first, signal.SIGKILL)
        with pytest.raises(GeneratorError, match=r"load worker 1 of 2 ended with exit code -9; .*log"):
            run.join(10)
    assert not psutil.pid_exists(second)


def test_dealt_arrivals_are_all_there_once() -> None:
    offsets = poisson_arrivals(1000.0, 2.0, 1)
    shares = deal(offsets, 3)
    assert np.sort(np.concatenate(shares)).tolist() == offsets.tolist()
    assert all((np.diff(share) >= 0).all() for share in shares)
    assert [len(share) for share in shares] == pytest.approx([667] * 3, rel=0.15)
