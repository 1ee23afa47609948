"""How busy a machine is, and with whom: CPU times of processors, processes and a limited cgroup, from /proc and /sys.

Linux only: proc(5) for the fields, Documentation/admin-guide/cgroup-v2.rst for cpu.stat. Elsewhere nothing is known.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from command_line.environment import limited_cgroup

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KTHREADD = 2
# Reading a frequency may interrupt that processor, so a large machine is sampled by some of its processors.
_MOST_FREQUENCIES = 8


@dataclass(frozen=True)
class CpuTimes:
    """Of one processor since the machine started, in ticks: idle (waiting for a disk too), interrupts, and steal.

    What is none of these was taken by processes. Idle time is exact; user and system time are only sampled.
    """

    idle: int
    interrupts: int
    stolen: int


@dataclass(frozen=True)
class ProcessTimes:
    """One process: `ticks` are its own, `waited_ticks` those of its children that ended and were waited for."""

    pid: int
    parent: int
    name: str
    started: int
    ticks: int
    waited_ticks: int

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from a later process of the same number."""
        return self.pid, self.started


@dataclass(frozen=True)
class GroupTimes:
    """A cgroup with a limit of `cores`: what it used, its periods so far, and those in which the limit stopped it."""

    cores: float
    used_s: float
    periods: int
    throttled: int


@dataclass(frozen=True)
class Reading:
    """All of it at one moment; `at_s` is this process's perf_counter."""

    at_s: float
    cpus: Mapping[int, CpuTimes]
    processes: Mapping[int, ProcessTimes]
    group: GroupTimes | None = None

    @property
    def complete(self) -> bool:
        """Whether the machine's processes are seen, not only those of a container."""
        return _KTHREADD in self.processes and self.processes[_KTHREADD].name == "kthreadd"

    def tree(self, roots: Iterable[int]) -> set[int]:
        """The processes of these numbers that there are, with all that descend from them."""
        children: dict[int, list[int]] = {}
        for process in self.processes.values():
            children.setdefault(process.parent, []).append(process.pid)
        found: set[int] = set()
        todo = [pid for pid in roots if pid in self.processes]
        while todo:
            pid = todo.pop()
            if pid not in found:
                found.add(pid)
                todo += children.get(pid, ())
        return found

    def alive(self, identities: Iterable[tuple[int, int]]) -> set[int]:
        """The numbers of those that there are still."""
        return {pid for pid, started in identities if pid in self.processes and self.processes[pid].started == started}

    def kernel_ticks(self) -> int:
        """CPU time of the kernel's own threads: what they do, they do for whoever loads the machine."""
        return sum(self.processes[pid].ticks for pid in self.tree([_KTHREADD])) if self.complete else 0


def parse_cpus(text: str, cpus: Iterable[int] | None = None) -> dict[int, CpuTimes]:
    """The processors of /proc/stat by their numbers, only those of `cpus` if given; ValueError for other text."""
    found = {}
    for line in text.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            times = [int(field) for field in fields] + [0] * 8  # old kernels have fewer fields
            found[int(name[3:])] = CpuTimes(
                idle=times[3] + times[4], interrupts=times[5] + times[6], stolen=times[7]
            )
    if not found:
        raise ValueError("no processor is named in it")
    return found if cpus is None else {number: found[number] for number in cpus if number in found}


def parse_process(text: str) -> ProcessTimes:
    """One /proc/PID/stat; a name may hold spaces and parentheses. ValueError for other text."""
    before, opened, rest = text.partition("(")
    name, closed, after = rest.rpartition(")")
    fields = after.split()
    if not (opened and closed) or len(fields) < 20:
        raise ValueError("not the state of a process")
    user, system, waited_user, waited_system = (int(field) for field in fields[11:15])
    return ProcessTimes(
        pid=int(before),
        parent=int(fields[1]),
        name=name,
        started=int(fields[19]),
        ticks=user + system,
        waited_ticks=waited_user + waited_system,
    )


class MachineFiles:
    """Reads a machine. `cpus` None: all processors; `cgroup` is the folder that limits this process, and its cores."""

    def __init__(
        self,
        cpus: frozenset[int] | None = None,
        proc: Path = Path("/proc"),
        cgroup: tuple[Path, float] | None = None,
        devices: Path = Path("/sys/devices/system/cpu"),
    ) -> None:
        self.proc, self._cpus, self._cgroup = proc, cpus, cgroup
        chosen = sorted(devices.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
        if cpus is not None:
            chosen = [path for path in chosen if int(path.parts[-3][3:]) in cpus]
        self._frequencies = chosen[:: max(1, len(chosen) // _MOST_FREQUENCIES)]

    @classmethod
    def own(cls, everything: bool = False) -> "MachineFiles":
        """What this process and its children may use: its processors and its cgroup; or the machine as a whole."""
        return cls() if everything else cls(frozenset(os.sched_getaffinity(0)), cgroup=limited_cgroup())

    def read(self) -> Reading | None:
        """The machine now, in some milliseconds; None where it does not say."""
        try:
            at_s = time.perf_counter()
            cpus = parse_cpus((self.proc / "stat").read_text(), self._cpus)
            group = self._group()
        except (OSError, ValueError):
            return None
        return Reading(at_s, cpus, self._processes(), group)

    def frequency_mhz(self) -> float | None:
        """The mean frequency of the processors now; None where it can't be read."""
        found = []
        for path in self._frequencies:
            with suppress(OSError, ValueError):
                found.append(int(path.read_text()) / 1000)
        return sum(found) / len(found) if found else None

    def command(self, pid: int) -> str:
        """The command line of a process; empty where it can't be read."""
        try:
            return (self.proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""

    def listeners(self, port: int) -> set[int]:
        """The processes that listen at a TCP port, as far as this user may see."""
        inodes = set()
        for name in ("tcp", "tcp6"):
            with suppress(OSError):
                for line in (self.proc / "net" / name).read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                        inodes.add(f"socket:[{fields[9]}]")
        return {pid for pid in self._pids() if inodes and self._holds(pid, inodes)}

    def _holds(self, pid: int, inodes: set[str]) -> bool:
        with suppress(OSError):
            for file in os.scandir(self.proc / str(pid) / "fd"):
                with suppress(OSError):
                    if os.readlink(file.path) in inodes:
                        return True
        return False

    def _pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self.proc) if name.isdigit()]

    def _processes(self) -> dict[int, ProcessTimes]:
        found = {}
        for pid in self._pids():
            with suppress(OSError, ValueError):  # it has ended meanwhile, or is not for this user to see
                found[pid] = parse_process((self.proc / str(pid) / "stat").read_text(errors="replace"))
        return found

    def _group(self) -> GroupTimes | None:
        if self._cgroup is None:
            return None
        folder, cores = self._cgroup
        stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        if "usage_usec" in stat:
            used_s = int(stat["usage_usec"]) / 1e6
        else:  # version 1 counts it in another file
            used_s = int((folder / "cpuacct.usage").read_text()) / 1e9
        return GroupTimes(cores, used_s, int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0)))
