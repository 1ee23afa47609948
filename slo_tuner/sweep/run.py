"""Runs the sweeps: every round measures each number of requests in flight through every target, one after another."""

from contextlib import closing
from dataclasses import replace

from ..measurement.meter import Meter
from ..results.schema import SweepPoint
from ..session.session import Session
from .options import SweepOptions
from .record import SweepRecord, SweepResults, SweepTarget


class Sweeps:
    """Sweeps through every target in turn; results.json is rewritten after every round.

    What a machine does besides changes within seconds, so the targets are compared at one number in flight before the
    next one, and each of them comes first in its turn. The load opens new connections for every point.
    """

    def __init__(self, session: Session, options: SweepOptions) -> None:
        self._session, self._options = session, options
        (self._model,) = session.models
        self._progress = session.progress
        self._widest = max(len(target.name) for target in options.targets)

    def run(self) -> SweepResults:
        """Measure every round; the results as written."""
        targets, rounds = self._options.targets, self._options.rounds
        self._session.load_if_needed(self._model)
        for target in targets:
            with closing(self._meter(target)) as meter:
                meter.check_answered()
        in_flight = self._in_flight(targets[0])
        for number in range(rounds):
            self._progress.say(f"round {number + 1} of {rounds}:")
            found = self._round(number, in_flight)
            targets = tuple(
                target.model_copy(update={"rounds": (*target.rounds, found[target.name])}) for target in targets
            )
            results = self._write(targets)
        return results

    def _in_flight(self, target: SweepTarget) -> list[int]:
        """1, 2, 4, … as far as a sweep through this target goes; it warms the server up, too."""
        self._progress.say(f"how far to go, through {target.name}:")
        with closing(self._meter(target)) as meter:
            self._megabytes, self._server_config = meter.megabytes, meter.server_config()
            return [point.concurrency for point in meter.sweep(self._progress.sweep_point)]

    def _round(self, number: int, in_flight: list[int]) -> dict[str, tuple[SweepPoint, ...]]:
        """One sweep through every target, by its name."""
        turn = number % len(self._options.targets)
        order = (*self._options.targets[turn:], *self._options.targets[:turn])
        points: dict[str, list[SweepPoint]] = {target.name: [] for target in order}
        for concurrency in in_flight:
            for target in order:
                with closing(self._meter(target)) as meter:
                    point = meter.run_closed_loop(concurrency)
                self._progress.sweep_point(point, f"{target.name:{self._widest}}  ")
                points[target.name].append(point)
        return {name: tuple(found) for name, found in points.items()}

    def _meter(self, target: SweepTarget) -> Meter:
        endpoint = replace(self._session.endpoint, address=target.address)
        return self._session.meter(self._model, None, endpoint=endpoint)

    def _write(self, targets: tuple[SweepTarget, ...]) -> SweepResults:
        results = SweepResults(
            run=self._session.header,
            objective=self._options.objective,
            objective_source="asked for",
            request_megabytes={self._model: self._megabytes},
            requests=dict(self._session.requests),
            models=(),
            complete=len(targets[0].rounds) == self._options.rounds,
            wall_s=self._session.wall_s,
            sweep=SweepRecord(model=self._model, targets=targets, server_config=self._server_config),
        )
        self._session.write(results)
        return results
