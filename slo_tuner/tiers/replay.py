"""Plays one scenario: open loops on both models at once, their rates changing from phase to phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..load.arrivals import poisson_arrivals
from ..load.generator import Run
from ..load.request_log import Floats, RequestLog
from ..measurement.meter import Meter
from ..results.schema import Disturbance
from ..slo.objective import Objective
from .record import ModelRun
from .windows import phase_edges, window_edges, windows_of

# The first executions after a load are slow, of every batch size anew; nobody's requests are counted then.
WARM_UP_S = 3.0


@dataclass(frozen=True)
class ModelLoad:
    """What one model gets in a run; `seed` is the same with and without tiers, so both get the same requests."""

    meter: Meter
    objective: Objective
    rates_per_s: tuple[float, float, float]
    phase_s: float
    seed: int
    rows_file: Path

    @property
    def offsets_s(self) -> Floats:
        """When its requests are due, the warm-up's at the first rate."""
        warm_up = poisson_arrivals(self.rates_per_s[0], WARM_UP_S, self.seed + 3)
        phases = [
            WARM_UP_S + number * self.phase_s + poisson_arrivals(rate, self.phase_s, self.seed + number)
            for number, rate in enumerate(self.rates_per_s)
        ]
        return np.concatenate([warm_up, *phases])


def run_scenario(parts: Sequence[ModelLoad]) -> list[ModelRun]:
    """Run all parts at once, and wait until every request has its answer or its failure."""
    runs: list[Run] = []
    machine = parts[0].meter.machine
    watch = machine.watch() if machine else None
    try:
        for part in parts:
            runs.append(part.meter.open(part.offsets_s))
        for run in runs:
            run.join()
        disturbance = watch.end() if watch else None
        return [_played(part, run, disturbance) for part, run in zip(parts, runs, strict=True)]
    finally:
        if watch:
            watch.close()
        for run in runs:
            run.close()


def _played(part: ModelLoad, run: Run, disturbance: Disturbance | None) -> ModelRun:
    rows = RequestLog.joined([run.take()]).since(WARM_UP_S)
    rows.save(part.rows_file, 0.0)
    before, burst, after = windows_of(rows, part.objective, phase_edges(part.phase_s))
    return ModelRun(
        rates_per_s=part.rates_per_s,
        phases=(before, burst, after),
        windows=windows_of(rows, part.objective, window_edges(part.phase_s)),
        error_reasons=run.errors_between(WARM_UP_S, float("inf")),
        send_delay_p95_ms=float(np.quantile(rows.delay_ms, 0.95)),
        disturbance=disturbance,
        rows_file=f"{part.rows_file.parent.name}/{part.rows_file.name}",
    )
