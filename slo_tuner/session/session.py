"""A session: the checked options, a server to measure, who makes the load, and what the run says of itself."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from command_line.files import output_folder

from ..load.master import LoadMaster
from ..measurement.disturbance import Machine
from ..measurement.meter import Meter, Surroundings, Thoroughness
from ..measurement.patience import Patience
from ..results.file import write_results
from ..results.schema import RequestsSent, Results, RunHeader
from ..triton.control import Control
from ..triton.deadlines import LOAD_S
from ..triton.endpoint import Endpoint
from .options import MeasureOptions
from .progress import Progress
from .run_header import make_header
from .server import open_server


@dataclass(frozen=True)
class Session:
    """What the features work with. `load_master` None: this process makes the load.

    `requests` are those of each model that was measured so far, where they are rows of examples.
    """

    options: MeasureOptions
    control: Control
    endpoint: Endpoint
    load_master: LoadMaster | None
    progress: Progress
    header: RunHeader
    patience: Patience
    requests: dict[str, RequestsSent] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    @property
    def models(self) -> Sequence[str]:
        """The models that were asked for; without any, all of the repository, the baseline first."""
        if self.options.models is not None:
            return self.options.models
        return sorted(self.control.models(), key=lambda name: (name != "original", name))

    @property
    def results_file(self) -> Path:
        """Where the results go."""
        return self.options.output / "results.json"

    @property
    def wall_s(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self._started

    def meter(self, model: str, rows: str | None, seed: int = 1, endpoint: Endpoint | None = None) -> Meter:
        """What measures a model that is loaded; its rows are kept in the folder `rows` beside the results."""
        folder = None if rows is None else self.options.output / rows
        where = endpoint or self.endpoint
        machine = Machine(() if where.local else (*where.addresses, *where.control_addresses))
        thoroughness = Thoroughness(self.options.effort, folder, seed)
        surroundings = Surroundings(self.load_master, machine, self.patience)
        meter = Meter(self.control, where, model, thoroughness, surroundings)
        if meter.requests is not None and model not in self.requests:
            self.requests[model] = meter.requests
            self.progress.say(f"  requests to {model}: {meter.requests}")
        return meter

    def load_if_needed(self, model: str) -> float | None:
        """Load a model that is not ready; the seconds that it took, None where it was ready."""
        return None if self.control.is_ready(model) else self.control.load(model, LOAD_S)

    def write(self, results: Results) -> None:
        """Write results.json."""
        write_results(results, self.results_file)


@contextmanager
def open_session(options: MeasureOptions, command: str, progress: Progress) -> Iterator[Session]:
    """A session with its server and its load, both ended after it."""
    workers, log = options.workers, options.output / "workers.log"
    with (
        output_folder(options.output),
        open_server(options) as (control, endpoint),
        workers.load_master(log, progress.say, options.endpoint.access) as load_master,
    ):
        count = len(load_master.workers) if load_master else 1
        header = make_header(options, command, control, endpoint, count)
        patience = Patience(progress.say, options.effort.quiet_s, options.effort.quiet_run_s)
        yield Session(options, control, endpoint, load_master, progress, header, patience)
