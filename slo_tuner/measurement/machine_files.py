"""Reads how busy a machine is from /proc and /sys, and from the cgroup that limits this process.

Linux only; elsewhere nothing is known. Documentation/admin-guide/cgroup-v2.rst says what is in cpu.stat.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from command_line.environment import limited_cgroup

from .machine_load import GroupTimes, ProcessTimes, Reading, parse_cpus, parse_process

# Reading a frequency may interrupt that processor, so a large machine is sampled by some of its processors.
_MOST_FREQUENCIES = 8


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
        if everything or not hasattr(os, "sched_getaffinity"):  # only Linux has it
            return cls()
        return cls(frozenset(os.sched_getaffinity(0)), cgroup=limited_cgroup())

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
            for file in (self.proc / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    if str(file.readlink()) in inodes:
                        return True
        return False

    def _pids(self) -> list[int]:
        return [int(entry.name) for entry in os.scandir(self.proc) if entry.name.isdigit()]

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
        else:  # version 1 counts it by another controller, which may be mounted elsewhere
            beside = Path(*("cpuacct" if part == "cpu" else part for part in folder.parts))
            file = next((one for one in (folder, beside) if (one / "cpuacct.usage").exists()), folder)
            used_s = int((file / "cpuacct.usage").read_text()) / 1e9
        return GroupTimes(cores, used_s, int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0)))
