"""Measures one model after another on one server, each alone: load, measure, unload."""

import datetime
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .control import Control
from .crew import Crew
from .effort import Effort
from .environment import describe_environment
from .measure import Endpoint, Meter
from .objective import Objective, relative_objective
from .progress import Progress, unmet
from .results import ModelResult, ObjectiveRecord, Results, write_results

LOAD_S = 300.0


@dataclass(frozen=True)
class Job:
    """What a run measures, and where its results go. `objective` None picks one that the first model can keep."""

    models: Sequence[str]
    objective: Objective | None
    endpoint: Endpoint
    effort: Effort
    output: Path
    title: str
    command: str
    repository: Path | None = None
    alone: bool = True
    rate_per_s: float | None = None


class Ladder:
    """Runs a job; results.json is rewritten after every model, so that an interruption loses one at most."""

    def __init__(self, job: Job, control: Control, progress: Progress, crew: Crew | None = None) -> None:
        self._job, self._control, self._progress, self._crew = job, control, progress, crew
        self._started = time.monotonic()
        self._created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._environment = describe_environment(control.server(), len(crew.workers) if crew else 1)
        self._objective = job.objective
        self._chosen = "asked for"
        self._megabytes: dict[str, float] = {}

    def run(self) -> Results:
        """Measure every model; the results as written."""
        done: list[ModelResult] = []
        served = self._served()
        try:
            for model in self._job.models:
                done.append(self._measure(model))
                results = self._write(done)
        finally:
            self._restore(served)
        return results

    def _served(self) -> list[str]:
        """The models that a running server of somebody else's serves now."""
        if self._job.repository is not None or not self._job.alone:
            return []
        return [model for model in self._control.models() if self._control.is_ready(model)]

    def _restore(self, served: list[str]) -> None:
        """Load again what was served before: a measurement leaves the server as it was."""
        for model in served:
            if not self._control.is_ready(model):
                self._control.load(model, LOAD_S)

    def _measure(self, model: str) -> ModelResult:
        job = self._job
        load_s = self._load(model)
        meter = Meter(self._control, job.endpoint, model, job.effort, job.output / "requests", crew=self._crew)
        try:
            result = self._measured(meter, load_s)
        finally:
            meter.close()
        if job.alone:
            self._control.unload(model)
        return result.model_copy(update={"manifest": self._manifest(model)})

    def _load(self, model: str) -> float | None:
        if not self._job.alone:
            if not self._control.is_ready(model):
                self._control.load(model, LOAD_S)
            return None
        for other in self._control.models():
            if other != model and self._control.is_ready(other):
                self._control.unload(other)
        seconds = self._control.load(model, LOAD_S)
        self._progress.say(f"[bold]{model}[/]: loaded in {seconds:.1f} s")
        return seconds

    def _measured(self, meter: Meter, load_s: float | None) -> ModelResult:
        self._megabytes[meter.model] = meter.payload.megabytes
        unloaded = meter.unloaded_ms()
        if self._objective is None:
            self._objective = relative_objective(unloaded)
            self._chosen = f"4 times the unloaded latency of {meter.model} ({unloaded:.0f} ms), rounded up"
            self._progress.say(f"  objective: {self._objective}, {self._chosen}")
        if self._job.rate_per_s is not None:
            point = meter.point(self._objective, self._job.rate_per_s, "single", self._progress.point)
            kept = point.kept and not point.void
            found = {"met": kept, "rate_per_s": point.rate_per_s if kept else None}
            found["missed_per_s"] = None if kept else point.rate_per_s
            return meter.result(found, unloaded, (), load_s)
        curve = meter.sweep(self._progress.sweep_point)
        found = meter.find(self._objective, curve, self._progress.point)
        result = meter.result(found, unloaded, curve, load_s)
        rate = result.rate_per_s
        said = f"{rate:.1f} req/s within {self._objective}" if rate else unmet(result)
        self._progress.say(f"  [bold]{meter.model}[/]: {said}")
        return result

    def _manifest(self, model: str) -> dict[str, Any]:
        """What the builder says of the model, where its repository is at hand."""
        if self._job.repository is None:
            return {}
        manifests = sorted((self._job.repository / model).glob("*/manifest.json"))
        return dict(json.loads(manifests[-1].read_text())) if manifests else {}

    def _write(self, models: list[ModelResult]) -> Results:
        assert self._objective is not None
        results = Results(
            created=self._created,
            title=self._job.title,
            command=self._job.command,
            objective=ObjectiveRecord.of(self._objective, self._chosen),
            protocol=self._job.endpoint.protocol,
            request_megabytes=dict(self._megabytes),
            environment=self._environment,
            models=tuple(models),
            complete=len(models) == len(self._job.models),
            wall_s=time.monotonic() - self._started,
        )
        write_results(results, self._job.output / "results.json")
        return results
