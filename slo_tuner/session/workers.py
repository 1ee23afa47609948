"""Who generates the load: this process alone, processes that it starts, or workers that come from other machines."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command_line.arguments import check_listening, positive, whole
from command_line.errors import UsageError

from ..access.client_access import Access
from ..load.master import WITHIN_S, LoadMaster, WorkerRendezvous
from ..load.worker_processes import WorkerProcesses


@dataclass(frozen=True)
class Workers:
    """Where the workers meet this process, None for no workers; `own` ones are started by it."""

    rendezvous: WorkerRendezvous | None
    own: bool = True

    @contextmanager
    def load_master(
        self, log: Path, say: Callable[[str], None], access: Access | None = None
    ) -> Iterator[LoadMaster | None]:
        """The workers, ready; None where this process does their work. Own ones print to `log`, and get the `access`;
        others have their own."""
        if self.rendezvous is None:
            yield None
        elif self.own:
            with LoadMaster(self.rendezvous, WorkerProcesses(log, access)) as load_master:
                yield load_master
        else:
            say(
                f"waiting for {self.rendezvous.count} load workers: "
                f"slo-tuner worker HOST:{self.rendezvous.port} elsewhere"
            )
            with LoadMaster(self.rendezvous) as load_master:
                say(f"load workers: {', '.join(load_master.hosts)}")
                yield load_master


def read_workers(options: argparse.Namespace) -> Workers:
    """Check --workers, --workers-at and --workers-within-s; UsageError names the first that is wrong."""
    count = whole("workers", options.workers) if options.workers is not None else 1
    at, within = options.workers_at, options.workers_within_s
    if at is None:
        if within is not None:
            raise UsageError("workers-within-s", within, "it is for workers that come to --workers-at")
        return Workers(WorkerRendezvous(count) if count > 1 else None)
    if options.workers is None:
        raise UsageError("workers", "", "say how many workers will come to --workers-at")
    if options.repository is not None:
        raise UsageError("workers-at", at, "give --address: a server started here is out of other machines' reach")
    within_s = positive("workers-within-s", within) if within is not None else WITHIN_S
    return Workers(WorkerRendezvous(count, *check_listening("workers-at", at), within_s), own=False)
