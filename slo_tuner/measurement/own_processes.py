"""Which of a machine's processes belong to a measurement: slo-tuner, its children, the server, load workers."""

import ipaddress
import os
from collections.abc import Iterable

from command_line.arguments import split_address

from .machine_files import MachineFiles
from .machine_load import ProcessTimes, Reading

Identity = tuple[int, int]
"""A process by its number and its start, in ticks since the machine's own."""


class OwnProcesses:
    """Which processes are the measurement's own: slo-tuner with its children, the server, load workers on this machine.

    `addresses` are those of a server that slo-tuner did not start, HOST:PORT. On this machine its processes are what
    listens there and every tritonserver (a container's port is another program's). Elsewhere it has none here.
    """

    def __init__(self, files: MachineFiles, addresses: Iterable[str] = (), pid: int | None = None) -> None:
        """`pid`: slo-tuner's own number, by default that of this process."""
        self._files, self._addresses, self._pid = files, tuple(addresses), os.getpid() if pid is None else pid
        self._known: set[Identity] = set()
        self._listening: set[Identity] = set()
        self._workers: dict[Identity, bool] = {}

    def of(self, reading: Reading) -> set[Identity] | None:
        """Those among the processes of a reading; None where the server's can't be told from others.

        What was one of them stays one, also when its parent has ended.
        """
        servers = self._servers(reading)
        if servers is None:
            return None
        pids = reading.tree({self._pid, *servers, *reading.alive(self._known), *self._elsewhere_started(reading)})
        self._known |= {reading.processes[pid].identity for pid in pids}
        return self._known

    def servers(self, reading: Reading) -> set[Identity]:
        """The server's processes among those of a reading; none where it is on another machine or can't be seen."""
        if self._addresses and not any(is_loopback(address) for address in self._addresses):
            return set()
        roots = self._servers(reading) or set()
        if not self._addresses:
            roots = {p for p in reading.tree({self._pid}) if reading.processes[p].name == "tritonserver"}
        return {reading.processes[pid].identity for pid in reading.tree(roots)}

    def _servers(self, reading: Reading) -> set[int] | None:
        """None: the server may be on this machine, and can't be seen."""
        if not self._addresses:
            return set()  # a child of this process
        found = {pid for pid, process in reading.processes.items() if process.name == "tritonserver"}
        local = [address for address in self._addresses if is_loopback(address)]
        if local:
            found |= self._listeners(reading, local)
        if found or (not local and reading.complete):
            return found
        return None

    def _listeners(self, reading: Reading, addresses: Iterable[str]) -> set[int]:
        """Looked for again when one of them has ended: it takes a look at every process's files."""
        alive = reading.alive(self._listening)
        if not alive or len(alive) < len(self._listening):
            alive = {pid for address in addresses for pid in self._files.listeners(split_address(address)[1])}
            self._listening = {reading.processes[pid].identity for pid in alive & reading.processes.keys()}
        return alive

    def _elsewhere_started(self, reading: Reading) -> set[int]:
        """Load workers that came to `--workers-at` from this machine."""
        if not self._addresses:
            return set()
        for process in reading.processes.values():
            if process.name.startswith(("python", "slo-tuner")) and process.identity not in self._workers:
                command = self._files.command(process.pid)
                self._workers[process.identity] = "worker" in command and (
                    "slo_tuner" in command or "slo-tuner" in command
                )
        return {pid for pid, process in reading.processes.items() if self._workers.get(process.identity)}


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT is an address of this machine that no other one has."""
    host = split_address(address)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_ticks(before: Reading, after: Reading, own: set[Identity]) -> int:
    """CPU time in ticks that these processes took between two readings.

    The time of a process that ended is in its parent's `waited_ticks`, all of it: what it had before is subtracted.
    """
    now = {p.identity: p for p in after.processes.values() if p.identity in own}
    then = {p.identity: p for p in before.processes.values() if p.identity in own}
    nothing = ProcessTimes(0, 0, "", 0, 0, 0)
    spent = sum(p.ticks - then.get(identity, nothing).ticks for identity, p in now.items())
    waited = sum(p.waited_ticks - then.get(identity, nothing).waited_ticks for identity, p in now.items())
    ended = sum(p.ticks + p.waited_ticks for identity, p in then.items() if identity not in now)
    return spent + max(0, waited - ended)
