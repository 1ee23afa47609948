"""Did anything else take the machine while it was measured, and how much of it?"""

from collections.abc import Iterable

import gevent

from ..results.schema import Disturbance
from .machine_files import MachineFiles
from .machine_load import TICKS_PER_S, Reading
from .own_processes import Identity, OwnProcesses, is_loopback, own_ticks

MOST_TAKEN_SHARE = 0.025
"""The share of the machine's cores that others may take before a measurement counts as disturbed.

By experiment (`benchmarks/disturbance.py`, 24 pairs each, two cores): a burner that took 2.4 % of the cores moved the
throughput of a model by -9 %, one that took 6.9 % by -12 %; without one others took 0.0 %, and 2.3 % at most in the 42
points of a demo. So what is not marked is within 10 %. The results are in results/cpu-amd-epyc-2-cores.
"""

_FREQUENCY_EVERY_S = 1.0


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
        stolen_s *= min(1.0, cores / max(1, len(both)))  # the host takes from all cgroups alike
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
    """Watches the machine from its creation until `end()`.

    `server_cpu_s` is then the CPU time that the server's processes took meanwhile, None where they are not seen here.
    """

    def __init__(self, files: MachineFiles, own: OwnProcesses) -> None:
        self._files, self._own = files, own
        self._frequencies: list[float] = []
        self.server_cpu_s: float | None = None
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
        server = self._own.servers(self._before) | self._own.servers(after)
        if server:
            self.server_cpu_s = own_ticks(self._before, after, server) / TICKS_PER_S
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
