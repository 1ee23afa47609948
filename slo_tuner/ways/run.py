"""Runs the sweeps: every round measures each number of requests in flight through every way, one after another."""

import datetime
import time
from contextlib import closing
from dataclasses import replace

from ..control import Control
from ..crew import Crew
from ..environment import describe_environment
from ..ladder import LOAD_S, Job
from ..measure import Meter
from ..progress import Progress
from ..results import ObjectiveRecord, Results, SweepPoint, Way, Ways, write_results
from .request import SweepRequest


class Sweeps:
    """Sweeps through every way in turn; results.json is rewritten after every round.

    What a machine does besides changes within seconds, so the ways are compared at one number in flight before the next
    one, and each of them comes first in its turn. The load opens new connections for every point.
    """

    def __init__(
        self, job: Job, asked: SweepRequest, control: Control, progress: Progress, crew: Crew | None = None
    ) -> None:
        self._job, self._asked, self._control, self._progress, self._crew = job, asked, control, progress, crew
        (self._model,) = job.models
        self._widest = max(len(way.name) for way in asked.ways)
        self._started = time.monotonic()
        self._created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._environment = describe_environment(control.server(), len(crew.workers) if crew else 1)

    def run(self) -> Results:
        """Measure every round; the results as written."""
        ways, rounds = self._asked.ways, self._asked.rounds
        if not self._control.is_ready(self._model):
            self._control.load(self._model, LOAD_S)
        for way in ways:
            with closing(self._meter(way)) as meter:
                meter.check_answered()
        in_flight = self._in_flight(ways[0])
        for number in range(rounds):
            self._progress.say(f"round {number + 1} of {rounds}:")
            found = self._round(number, in_flight)
            ways = tuple(way.model_copy(update={"rounds": (*way.rounds, found[way.name])}) for way in ways)
            results = self._write(ways)
        return results

    def _in_flight(self, way: Way) -> list[int]:
        """1, 2, 4, … as far as a sweep through this way goes; it warms the server up, too."""
        self._progress.say(f"how far to go, through {way.name}:")
        with closing(self._meter(way)) as meter:
            self._megabytes, self._server_config = meter.payload.megabytes, meter.server_config()
            return [point.concurrency for point in meter.sweep(self._progress.sweep_point)]

    def _round(self, number: int, in_flight: list[int]) -> dict[str, tuple[SweepPoint, ...]]:
        """One sweep through every way, by its name."""
        turn = number % len(self._asked.ways)
        order = (*self._asked.ways[turn:], *self._asked.ways[:turn])
        points: dict[str, list[SweepPoint]] = {way.name: [] for way in order}
        for concurrency in in_flight:
            for way in order:
                with closing(self._meter(way)) as meter:
                    point = meter.saturation(concurrency)
                self._progress.sweep_point(point, f"{way.name:{self._widest}}  ")
                points[way.name].append(point)
        return {name: tuple(found) for name, found in points.items()}

    def _meter(self, way: Way) -> Meter:
        endpoint = replace(self._job.endpoint, address=way.address)
        return Meter(self._control, endpoint, self._model, self._job.effort, None, crew=self._crew)

    def _write(self, ways: tuple[Way, ...]) -> Results:
        job = self._job
        results = Results(
            created=self._created,
            title=job.title,
            command=job.command,
            objective=ObjectiveRecord.of(self._asked.objective, "asked for"),
            protocol=job.endpoint.protocol,
            request_megabytes={self._model: self._megabytes},
            environment=self._environment,
            models=(),
            complete=len(ways[0].rounds) == self._asked.rounds,
            wall_s=time.monotonic() - self._started,
            ways=Ways(model=self._model, ways=ways, server_config=self._server_config),
        )
        write_results(results, job.output / "results.json")
        return results
