"""What a machine did is read from recorded texts of /proc and cgroups, and from this machine's own."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_proc import PROCESS, STAT, process, stat_of, write_proc

from command_line.environment import limited_cgroup
from slo_tuner.measurement.disturbance import MOST_TAKEN_SHARE, disturbance_between
from slo_tuner.measurement.machine_files import MachineFiles
from slo_tuner.measurement.machine_load import TICKS_PER_S, CpuTimes, Reading, parse_cpus, parse_process
from slo_tuner.measurement.own_processes import OwnProcesses, is_loopback, own_ticks
from slo_tuner.results.schema import Disturbance

KTHREADD = process(2, 0, 0, name="kthreadd")
SECONDS = 10
ALL = SECONDS * TICKS_PER_S


def _reading(
    folder: Path, at_s: float, stat: str, *processes: tuple[int, str], group: tuple[Path, float] | None = None
) -> Reading:
    reading = MachineFiles(proc=write_proc(folder, stat, *processes), cgroup=group).read()
    assert reading is not None
    return replace(reading, at_s=at_s)


def test_each_processor_has_its_idle_interrupt_and_stolen_time() -> None:
    assert parse_cpus(STAT) == {0: CpuTimes(99068 + 444, 233, 3145), 1: CpuTimes(70894 + 1937, 1241, 3576)}


def test_only_the_processors_that_may_be_used_count() -> None:
    assert list(parse_cpus(STAT, [1])) == [1]


def test_a_process_is_read_whatever_its_name_is() -> None:
    text = PROCESS.format(
        pid=12, name="tmux: server) R (1", parent=1, user=3, system=4, waited_user=5, waited_system=6, started=99
    )
    found = parse_process(text)
    assert (found.pid, found.parent, found.name, found.started) == (12, 1, "tmux: server) R (1", 99)
    assert (found.ticks, found.waited_ticks) == (7, 11)


@pytest.mark.parametrize("text", ["", "12 (python3", "12 (python3) S 1 2"])
def test_half_a_text_is_no_process(text: str) -> None:
    with pytest.raises(ValueError):
        parse_process(text)


def test_what_nobody_of_the_measurement_took_is_foreign(tmp_path: Path) -> None:
    # Of 20 core-seconds 8 were idle, the tuner took 4, its server 3, and somebody 5.
    own = ((10, 1, 0), (11, 10, 50))
    before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0), (0, 0, 0)), *(process(*one) for one in own))
    idle = 4 * TICKS_PER_S
    after = _reading(
        tmp_path / "proc",
        SECONDS,
        stat_of((idle, 0, 0), (idle, 0, 0)),
        process(10, 1, 4 * TICKS_PER_S),
        process(11, 10, 50 + 3 * TICKS_PER_S),
    )
    found = disturbance_between(before, after, OwnProcesses(MachineFiles(proc=tmp_path), pid=10).of(after))
    assert found.foreign_cores == pytest.approx(0.5)
    assert found.disturbed and str(found) == "other programs took 0.5 of 2 cores"


def test_a_server_that_takes_the_whole_machine_is_no_disturbance(tmp_path: Path) -> None:
    before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0), (0, 0, 0)), process(10, 1, 0), process(11, 10, 0))
    full = (process(10, 1, ALL // 10), process(11, 10, 2 * ALL - ALL // 10))
    after = _reading(tmp_path / "proc", SECONDS, stat_of((0, 0, 0), (0, 0, 0)), *full)
    found = disturbance_between(before, after, OwnProcesses(MachineFiles(proc=tmp_path), pid=10).of(after))
    assert found.foreign_cores == 0 and not found.disturbed


def test_steal_is_told_from_what_programs_took(tmp_path: Path) -> None:
    before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0), (0, 0, 0)), process(10, 1, 0))
    after = _reading(tmp_path / "proc", SECONDS, stat_of((ALL // 2, 0, ALL // 2), (ALL, 0, 0)), process(10, 1, 0))
    found = disturbance_between(before, after, {(10, 7)})
    assert (found.foreign_cores, found.stolen_cores) == (0, pytest.approx(0.5))
    assert found.disturbed and str(found) == "the host took 0.5 of 2 cores"


def test_interrupts_and_kernel_threads_are_the_load_s_own_doing(tmp_path: Path) -> None:
    kernel = ((16, 2, 0), (16, 2, 2 * TICKS_PER_S))
    before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0)), KTHREADD, process(*kernel[0], name="ksoftirqd/0"))
    stat = stat_of((ALL - 5 * TICKS_PER_S, 3 * TICKS_PER_S, 0))
    after = _reading(tmp_path / "proc", SECONDS, stat, KTHREADD, process(*kernel[1], name="ksoftirqd/0"))
    assert disturbance_between(before, after, set()).foreign_cores == 0


def test_a_child_that_ended_is_counted_once(tmp_path: Path) -> None:
    before = _reading(tmp_path / "proc", 0, STAT, process(10, 1, 100, waited=30), process(11, 10, 500))
    after = _reading(tmp_path / "proc", SECONDS, STAT, process(10, 1, 110, waited=30 + 520))
    assert own_ticks(before, after, {(10, 7), (11, 7)}) == 10 + 20


def test_an_orphan_that_ended_takes_nothing_away(tmp_path: Path) -> None:
    before = _reading(tmp_path / "proc", 0, STAT, process(10, 1, 100), process(11, 1, 500))
    after = _reading(tmp_path / "proc", SECONDS, STAT, process(10, 1, 110))
    assert own_ticks(before, after, {(10, 7), (11, 7)}) == 10


def test_what_was_a_child_once_stays_the_measurement_s_own(tmp_path: Path) -> None:
    own = OwnProcesses(MachineFiles(proc=tmp_path), pid=10)
    own.of(_reading(tmp_path / "proc", 0, STAT, process(10, 1, 0), process(11, 10, 0), process(12, 11, 0)))
    orphaned = _reading(tmp_path / "proc", 1, STAT, process(10, 1, 0), process(12, 1, 0), process(13, 12, 0))
    assert {(12, 7), (13, 7)} <= (own.of(orphaned) or set())


def test_a_later_process_of_the_same_number_is_another_one(tmp_path: Path) -> None:
    own = OwnProcesses(MachineFiles(proc=tmp_path), pid=10)
    own.of(_reading(tmp_path / "proc", 0, STAT, process(10, 1, 0), process(11, 10, 0)))
    later = _reading(tmp_path / "proc", 1, STAT, process(10, 1, 0), process(11, 1, 0, started=8))
    assert (11, 8) not in (own.of(later) or set())


def _limited(folder: Path, used_s: float, periods: int, throttled: int) -> tuple[Path, float]:
    folder.mkdir(exist_ok=True)
    times = f"usage_usec {int(used_s * 1e6)}\nuser_usec 1\n"
    (folder / "cpu.stat").write_text(f"{times}nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 7\n")
    return folder, 1.5


def test_a_limited_cgroup_is_the_machine(tmp_path: Path) -> None:
    # The machine's other processors are busy with other cgroups, which the limit keeps away.
    busy, group = stat_of((0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)), tmp_path / "cgroup"
    before = _reading(tmp_path / "proc", 0, busy, process(10, 1, 0), group=_limited(group, 5, 100, 10))
    own = process(10, 1, 6 * TICKS_PER_S)
    after = _reading(tmp_path / "proc", SECONDS, busy, own, group=_limited(group, 14, 200, 35))
    found = disturbance_between(before, after, {(10, 7)})
    assert (found.cores, found.foreign_cores, found.throttled_share) == (1.5, pytest.approx(0.3), 0.25)


@pytest.mark.parametrize("controller", ["cpu", "cpuacct"])
def test_version_1_of_cgroups_is_read_too(tmp_path: Path, controller: str) -> None:
    for name in {"cpu", controller}:
        (tmp_path / name / "one").mkdir(parents=True)
    (tmp_path / "cpu" / "one" / "cpu.stat").write_text("nr_periods 40\nnr_throttled 3\nthrottled_time 5\n")
    (tmp_path / controller / "one" / "cpuacct.usage").write_text("2500000000\n")
    reading = _reading(tmp_path / "proc", 0, STAT, group=(tmp_path / "cpu" / "one", 2.0))
    assert reading.group is not None
    assert (reading.group.used_s, reading.group.periods, reading.group.throttled) == (2.5, 40, 3)


def test_the_tightest_limit_above_a_process_is_its_machine(tmp_path: Path) -> None:
    inner = tmp_path / "pods" / "one"
    inner.mkdir(parents=True)
    (tmp_path / "pods" / "cpu.max").write_text("150000 100000\n")
    (inner / "cpu.max").write_text("max 100000\n")
    own = tmp_path / "self"
    own.write_text("0::/pods/one\n")
    assert limited_cgroup(tmp_path, own) == (tmp_path / "pods", 1.5)


def test_a_machine_that_does_not_say_is_not_known(tmp_path: Path) -> None:
    assert MachineFiles(proc=tmp_path).read() is None


def test_the_frequency_is_the_mean_of_the_processors(tmp_path: Path) -> None:
    for number, khz in enumerate((2_000_000, 3_000_000)):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{khz}\n")
    assert MachineFiles(devices=tmp_path).frequency_mhz() == 2500
    assert MachineFiles(frozenset({1}), devices=tmp_path).frequency_mhz() == 3000
    assert MachineFiles(devices=tmp_path / "none").frequency_mhz() is None


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:8001", True),
        ("localhost:1", True),
        ("[::1]:8001", True),
        ("triton:8001", False),
        ("10.0.0.1:1", False),
    ],
)
def test_an_address_of_this_machine_alone_is_known(address: str, local: bool) -> None:
    assert is_loopback(address) is local


def test_a_server_elsewhere_has_no_processes_here(tmp_path: Path) -> None:
    reading = _reading(tmp_path / "proc", 0, STAT, KTHREADD, process(10, 1, 0), process(20, 1, 0))
    own = OwnProcesses(MachineFiles(proc=tmp_path / "proc"), ["triton.example:8001"], pid=10)
    assert own.of(reading) == {(10, 7)}


def test_a_server_in_a_container_of_this_machine_is_no_other_program(tmp_path: Path) -> None:
    served = (process(20, 1, 0, name="tritonserver"), process(21, 20, 0, name="triton_python_b"))
    reading = _reading(tmp_path / "proc", 0, STAT, KTHREADD, process(10, 1, 0), *served)
    own = OwnProcesses(MachineFiles(proc=tmp_path / "proc"), ["172.18.0.2:8001"], pid=10)
    assert own.of(reading) == {(10, 7), (20, 7), (21, 7)}


@pytest.mark.parametrize("address", ["triton:8001", "127.0.0.1:8001"])
def test_from_inside_of_a_container_an_unseen_server_can_t_be_told_from_others(tmp_path: Path, address: str) -> None:
    before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0)), process(1, 0, 0))
    after = _reading(tmp_path / "proc", SECONDS, stat_of((0, 0, 0)), process(1, 0, 0))
    own = OwnProcesses(MachineFiles(proc=tmp_path / "proc"), [address], pid=1).of(after)
    found = disturbance_between(before, after, own)
    assert found.foreign_cores is None and not found.disturbed


def test_a_server_on_a_port_of_this_machine_is_found_by_it() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        files = MachineFiles()
        assert files.listeners(server.getsockname()[1]) == {os.getpid()}


BURN = "import time\nwhile time.process_time() < 0.5: pass"
# Started by a process that ends at once, so that it is nobody's child here; the pipe ends with it.
FOREIGN = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.parametrize(("command", "own"), [([BURN], True), ([FOREIGN, BURN], False)])
def test_children_are_told_from_other_programs(command: list[str], own: bool) -> None:
    files = MachineFiles()
    before, processes = files.read(), OwnProcesses(files)
    assert before is not None
    processes.of(before)
    subprocess.run([sys.executable, "-c", *command], check=True, stdout=subprocess.PIPE, timeout=60)
    after = files.read()
    assert after is not None
    found, elapsed_s = disturbance_between(before, after, processes.of(after)), after.at_s - before.at_s
    assert found.foreign_cores is not None
    if own:
        ticks = own_ticks(before, after, processes.of(after) or set())
        assert ticks >= 0.45 * TICKS_PER_S
        # Whatever else runs here, it can't have had what the children had.
        assert found.foreign_cores * elapsed_s <= found.cores * elapsed_s - ticks / TICKS_PER_S + 0.1
    else:
        assert found.foreign_cores * elapsed_s >= 0.35


def test_the_threshold_is_a_share_of_the_machine(tmp_path: Path) -> None:
    def with_taken(share: float) -> Disturbance:
        before = _reading(tmp_path / "proc", 0, stat_of((0, 0, 0)))
        return disturbance_between(
            before, _reading(tmp_path / "proc", SECONDS, stat_of((round(ALL * (1 - share)), 0, 0))), set()
        )

    assert not with_taken(MOST_TAKEN_SHARE - 0.01).disturbed
    assert with_taken(MOST_TAKEN_SHARE + 0.01).disturbed
