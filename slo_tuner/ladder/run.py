"""Measures one model after another on one server, each alone: load, measure, unload."""

import json
from contextlib import closing, nullcontext
from typing import Any

from command_line.errors import ModelError, ServerError

from ..measurement.meter import Meter
from ..results.schema import ModelResult, Point, Results
from ..session.session import Session
from ..slo.objective import ChosenObjective, Objective, choose_objective
from ..slo.rate_search import Found
from ..triton.deadlines import LOAD_S
from ..triton.restore import restored_server
from .table import BASELINE, unmet
from .widen import find_widening


class Ladder:
    """Runs a session's models; results.json is rewritten after each, so that an interruption loses one at most."""

    def __init__(self, session: Session, rate_per_s: float | None = None) -> None:
        """`rate_per_s` measures this rate alone, without a search."""
        self._session, self._rate_per_s = session, rate_per_s
        # The objective `auto` is made from the first model, and ratios refer to the baseline: they are the same one.
        auto = session.options.objective is None
        self._models = sorted(session.models, key=lambda name: auto and name != BASELINE)
        self._chosen: ChosenObjective | None = None
        self._megabytes: dict[str, float] = {}

    def run(self) -> Results:
        """Measure every model; the results as written. One that can't be measured is said so in them.

        ServerError or ModelError where no model could be measured, or the server was lost.
        """
        session, done = self._session, []
        # A server of its own ends with the session.
        restored = nullcontext() if session.endpoint.local else restored_server(session.control, session.progress.say)
        with restored:
            if session.options.alone and not session.endpoint.local:
                session.control.check_explicit()
            session.progress.expect(len(self._models), session.options.effort.model_s)
            for model in self._models:
                try:
                    done.append(self._measure(model))
                except (ModelError, ServerError) as error:
                    session.control.check_alive()
                    session.control.check_reachable()
                    if len(self._models) == 1:
                        raise
                    session.progress.say(f"{model}: not measured: {error}")
                    done.append(ModelResult(model=model, failure=str(error), manifest=self._manifest(model)))
                    if session.options.objective is None and all(one.failure for one in done):
                        # What it picked is of no use: the next model is the baseline.
                        self._chosen = None
                session.progress.finish_step()
                if self._chosen is not None:
                    results = self._write(done)
        if self._chosen is None:
            raise ModelError(f"no model could be measured: {'; '.join(f'{m.model}: {m.failure}' for m in done)}")
        return results

    def _measure(self, model: str) -> ModelResult:
        session = self._session
        load_s = self._load(model)
        try:
            with closing(session.meter(model, "requests")) as meter:
                result = self._measured(meter, load_s)
        finally:
            if session.options.alone and session.control.is_ready(model):
                session.control.unload(model)
        return result.model_copy(update={"manifest": self._manifest(model)})

    def _load(self, model: str) -> float | None:
        session = self._session
        if not session.options.alone:
            session.load_if_needed(model)
            return None
        for other in session.control.models():
            if other != model and session.control.is_ready(other):
                session.control.unload(other)
        # One that is served already keeps the configuration that it is served with.
        served = session.control.config(model) if session.control.is_ready(model) else None
        seconds = session.control.load(model, LOAD_S, served)
        session.progress.heading(model, f"loaded in {seconds:.1f} s{session.progress.step}")
        return seconds

    def _measured(self, meter: Meter, load_s: float | None) -> ModelResult:
        self._megabytes[meter.model] = meter.payload.megabytes
        progress, unloaded = self._session.progress, meter.unloaded_ms()
        first = self._chosen is None
        if self._chosen is None:
            self._chosen = choose_objective(self._session.options.objective, meter.model, unloaded)
            progress.say(f"  objective: {self._chosen.objective}, {self._chosen.source}")
        if self._rate_per_s is not None:
            point = meter.point(self._chosen.objective, self._rate_per_s, "single", progress.point)
            return meter.result(_of_one(point), unloaded, (), load_s)
        curve = meter.sweep(progress.sweep_point)

        def find(objective: Objective) -> Found:
            return meter.find(objective, curve, progress.point)

        if first and self._session.options.objective is None:
            self._chosen, found = find_widening(meter, self._chosen, unloaded, find, progress.say)
        else:
            found = find(self._chosen.objective)
        result = meter.result(found, unloaded, curve, load_s)
        rate = result.rate_per_s
        without = f"{unmet(result)} even at {found.lowest_tried_per_s or 0.0:.1f} req/s, the lowest rate that was tried"
        progress.heading(meter.model, f"{rate:.1f} req/s within {self._chosen.objective}" if rate else without)
        return result

    def _manifest(self, model: str) -> dict[str, Any]:
        """What the builder says of the newest version of the model, where its repository is at hand."""
        repository = self._session.options.repository
        if repository is None:
            return {}
        versions = [folder for folder in (repository / model).glob("*/") if folder.name.isdigit()]
        newest = max(versions, key=lambda folder: int(folder.name), default=None)
        file = newest / "manifest.json" if newest is not None else None
        return dict(json.loads(file.read_text())) if file is not None and file.is_file() else {}

    def _write(self, models: list[ModelResult]) -> Results:
        assert self._chosen is not None
        count, session = len(self._models), self._session
        title = session.header.title or (f"Ladder of {count} models" if count > 1 else self._models[0])
        results = Results(
            run=session.header.model_copy(update={"title": title}),
            objective=self._chosen.objective,
            objective_source=self._chosen.source,
            request_megabytes=dict(self._megabytes),
            models=tuple(models),
            complete=len(models) == count,
            wall_s=session.wall_s,
        )
        session.write(results)
        return results


def _of_one(point: Point) -> Found:
    """What a single rate tells: kept, missed, or, where the load generator lagged, nothing."""
    if point.invalid:
        return Found(generator_limited=True)
    return Found(rate_per_s=point.rate_per_s) if point.kept else Found(missed_per_s=point.rate_per_s)
