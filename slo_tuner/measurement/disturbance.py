"""Did anything else take the machine while it was measured? How much, and waiting until it is quiet again."""

import ipaddress
import os
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import gevent

from command_line.arguments import split_address

from ..results.schema import Disturbance
from .machine_load import TICKS_PER_S, MachineFiles, ProcessTimes, Reading

MOST_TAKEN_SHARE = 0.05
"""The share of the machine's cores that others may take before a measurement counts as disturbed.

Provisional: `benchmarks/disturbance.py` finds how far the rate moves with the share that is taken.
"""

MOST_REPEATS = 2
POINT_WAIT_S = 30.0
RUN_WAIT_S = 300.0
_LEAST_WAIT_S = 1.0
_SHORTER = 4.0
_LOOK_S = 1.0
_FREQUENCY_EVERY_S = 1.0

Identity = tuple[int, int]


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
                self._workers[process.identity] = "worker" in command and ("slo_tuner" in command or "slo-tuner" in command)
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


def disturbance_between(
    before: Reading, after: Reading, own: set[Identity] | None, frequency_mhz: float | None = None
) -> Disturbance:
    """What happened on the machine between two readings, beside these processes of the measurement's own.

    Others took what no processor spent idle, in interrupts, for the kernel's threads or stolen, and none of the own
    processes spent: this counts those too that began and ended in between. Interrupts and kernel threads are left out
    because the load itself makes them, sending over loopback. In a limited cgroup: what the others in it took.
    """
    elapsed_s = max(1e-6, after.at_s - before.at_s)
    both = before.cpus.keys() & after.cpus.keys()

    def ticks(field: str) -> int:
        return sum(getattr(after.cpus[cpu], field) - getattr(before.cpus[cpu], field) for cpu in both)

    stolen_s = max(0.0, ticks("stolen") / TICKS_PER_S)
    cores, throttled_share = float(len(both)), None
    if before.group is not None and after.group is not None:
        cores = after.group.cores
        taken_s = after.group.used_s - before.group.used_s
        periods = after.group.periods - before.group.periods
        throttled_share = (after.group.throttled - before.group.throttled) / periods if periods > 0 else 0.0
    else:
        kernel = after.kernel_ticks() - before.kernel_ticks()
        taken_s = elapsed_s * cores - stolen_s - (ticks("idle") + ticks("interrupts") + kernel) / TICKS_PER_S
    foreign_cores = None
    if own is not None:
        foreign_cores = min(cores, max(0.0, (taken_s - own_ticks(before, after, own) / TICKS_PER_S) / elapsed_s))
    stolen_cores = stolen_s / elapsed_s
    return Disturbance(
        cores=cores,
        foreign_cores=foreign_cores,
        stolen_cores=stolen_cores,
        throttled_share=throttled_share,
        frequency_mhz=frequency_mhz,
        disturbed=(foreign_cores or 0.0) + stolen_cores > MOST_TAKEN_SHARE * cores,
    )


class Watch:
    """Watches the machine from its creation until `end()`."""

    def __init__(self, files: MachineFiles, own: OwnProcesses) -> None:
        self._files, self._own = files, own
        self._frequencies: list[float] = []
        self._before = files.read()
        if self._before is not None:
            own.of(self._before)  # remembers those that end before the end
        self._sampler = gevent.spawn(self._sample) if files.frequency_mhz() is not None else None

    def end(self) -> Disturbance | None:
        """What happened; None where the machine does not say."""
        self.close()
        after = self._files.read() if self._before is not None else None
        if self._before is None or after is None:
            return None
        frequency = sum(self._frequencies) / len(self._frequencies) if self._frequencies else None
        return disturbance_between(self._before, after, self._own.of(after), frequency)

    def close(self) -> None:
        """Stop sampling."""
        if self._sampler is not None:
            self._sampler.kill()

    def _sample(self) -> None:
        while True:
            gevent.sleep(_FREQUENCY_EVERY_S)
            if (mhz := self._files.frequency_mhz()) is not None:
                self._frequencies.append(mhz)


class Machine:
    """The machine that a measurement's load, and maybe its server, is on."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        """`addresses`: HOST:PORT of a server that this process has not started."""
        addresses = tuple(addresses)
        self._files = MachineFiles.own(everything=any(is_loopback(address) for address in addresses))
        self._own = OwnProcesses(self._files, addresses)

    def watch(self) -> Watch:
        """Watch it from now on."""
        return Watch(self._files, self._own)

    def look(self, seconds: float) -> Disturbance | None:
        """What happens on it for so long; the caller puts no load on it."""
        watch = self.watch()
        gevent.sleep(seconds)
        return watch.end()


class Measured(Protocol):
    """What was measured and watched."""

    @property
    def disturbance(self) -> Disturbance | None: ...
    @property
    def disturbed(self) -> bool: ...


M = TypeVar("M", bound=Measured)
Look = Callable[[float], Disturbance | None]


class Patience:
    """Waits for a machine to be quiet, for a bounded time a point and a run, and measures again what was disturbed.

    A wait in vain makes the next one shorter, one that ended well makes it long again: beside a program that never
    ends, a run loses 40 s or so, not 30 s a point.
    """

    def __init__(
        self, say: Callable[[str], None], point_s: float = POINT_WAIT_S, run_s: float = RUN_WAIT_S
    ) -> None:
        self._say, self._point_s, self._left_s, self._next_s = say, point_s, run_s, point_s

    def measured(
        self, look: Look, measure: Callable[[], M], matters: Callable[[M], bool], replaced: Callable[[M], None]
    ) -> M:
        """Measure, at most twice again while it is disturbed, it `matters`, and the machine gets quiet.

        `replaced` is called with what was measured again, and counts for nothing.
        """
        found = measure()
        for _ in range(MOST_REPEATS):
            if not found.disturbed or not matters(found) or not self._quiet(look, found):
                break
            replaced(found)
            begun = time.perf_counter()
            found = measure()
            self._left_s -= time.perf_counter() - begun
        return found

    def _quiet(self, look: Look, found: Measured) -> bool:
        """Whether the machine is quiet within the time that there is; says that it waits, and how it ended."""
        wait_s = min(self._next_s, self._left_s)
        if wait_s < _LEAST_WAIT_S:
            return False
        begun, said = time.perf_counter(), False
        while True:
            seen = look(_LOOK_S)
            waited_s = time.perf_counter() - begun
            if seen is None or not seen.disturbed:
                self._say(f"  measuring again: {found.disturbance}, and the machine is quiet now")
                self._next_s = self._point_s
                break
            if waited_s >= wait_s:
                self._say(f"  not quiet after {waited_s:.0f} s: the point stays as it is, marked as disturbed")
                self._next_s = max(_LEAST_WAIT_S, self._next_s / _SHORTER)
                break
            if not said:
                self._say(
                    f"  waiting for the machine to be quiet: {seen} (up to {wait_s:.0f} s; this run waits and "
                    f"measures again for {self._left_s:.0f} s more at most)"
                )
                said = True
        self._left_s -= waited_s
        return seen is None or not seen.disturbed
