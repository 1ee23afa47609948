"""How busy a machine is, and with whom: the CPU times of processors and processes, from the text of /proc.

The fields are those of Linux, proc(5).
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KTHREADD = 2


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
            found[int(name[3:])] = CpuTimes(idle=times[3] + times[4], interrupts=times[5] + times[6], stolen=times[7])
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
