"""Measures one model after another on one server, each alone: load, measure, unload."""

from contextlib import closing, nullcontext

from command_line.errors import ModelError, ServerError

from ..load.traffic.trace import Trace
from ..measurement.meter import Meter
from ..results.schema import ModelResult, Point, Results
from ..session.session import Session
from ..slo.numerals import rate_text
from ..slo.objective import ChosenObjective, Objective, choose_objective
from ..slo.rate_search import Found
from ..triton.deadlines import LOAD_S
from ..triton.restore import ServedModels, restored_server
from .manifest import newest_manifest
from .table import BASELINE
from .widen import find_widening


class Ladder:
    """Runs a session's models; results.json is rewritten after each, so that an interruption loses one at most."""

    def __init__(self, session: Session, rate_per_s: float | None = None, trace: Trace | None = None) -> None:
        """`rate_per_s` measures this rate alone, and `trace` its requests at its times, without a search."""
        self._session, self._rate_per_s, self._trace = session, rate_per_s, trace
        # One that was asked for is known before any model was measured.
        asked = session.options.objective
        self._chosen = ChosenObjective(asked, "asked for") if asked is not None else None
        # The objective `auto` is made from the first model, and ratios refer to the baseline: they are the same one.
        self._models = sorted(session.models, key=lambda name: asked is None and name != BASELINE)
        self._megabytes: dict[str, float] = {}

    def run(self) -> Results:
        """Measure every model; the results as written. One that can't be measured is said so in them.

        ServerError or ModelError where the one model, or none under an objective that was to be picked, could be
        measured, or the server was lost.
        """
        session, done = self._session, list[ModelResult]()
        # A server of its own ends with the session.
        own = session.endpoint.local
        restored = nullcontext(ServedModels(())) if own else restored_server(session.control, session.progress.say)
        with restored as found:
            if session.options.alone and not own:
                session.control.check_explicit()
            if self._chosen is not None:
                session.progress.say(f"objective: {self._chosen.objective}, {self._chosen.source}")
            session.progress.expect(len(self._models), session.options.effort.model_s)
            try:
                for model in self._models:
                    done.append(self._measured_or_failed(model, found))
                    session.progress.finish_step()
                    if self._chosen is not None:
                        results = self._write(done)
            except ServerError:
                if done and self._chosen is not None:
                    session.progress.say(f"{len(done)} of {len(self._models)} models are in {session.results_file}")
                raise
        if self._chosen is None:
            raise ModelError(f"no model could be measured: {'; '.join(f'{m.model}: {m.failure}' for m in done)}")
        return results

    def _measured_or_failed(self, model: str, found: ServedModels) -> ModelResult:
        session, chosen = self._session, self._chosen
        try:
            return self._measure(model, found)
        except (ModelError, ServerError) as error:
            self._chosen = chosen  # an objective is picked by a model that was measured
            session.control.check_alive()
            session.control.check_reachable()
            if len(self._models) == 1:
                raise
            session.progress.say(f"{model}: not measured: {error}")
            return ModelResult(model=model, failure=str(error), manifest=self._manifest(model))

    def _measure(self, model: str, found: ServedModels) -> ModelResult:
        session = self._session
        load_s = self._load(model, found)
        try:
            with closing(session.meter(model, "requests")) as meter:
                result = self._measured(meter, load_s)
        finally:
            if session.options.alone and session.control.is_ready(model):
                session.control.unload(model)
        return result.model_copy(update={"manifest": self._manifest(model)})

    def _load(self, model: str, found: ServedModels) -> float | None:
        session = self._session
        if not session.options.alone:
            session.load_if_needed(model)
            return None
        for other in session.control.models():
            if other != model and session.control.is_ready(other):
                session.control.unload(other)
        if session.control.is_ready(model):
            return None
        # One that was served keeps the configuration that it was served with: it may have been tuned.
        seconds = session.control.load(model, LOAD_S, found.config(model))
        session.progress.heading(model, f"loaded in {seconds:.1f} s{session.progress.step}")
        return seconds

    def _measured(self, meter: Meter, load_s: float | None) -> ModelResult:
        self._megabytes[meter.model] = meter.megabytes
        progress, unloaded = self._session.progress, meter.unloaded_ms()
        first = self._chosen is None
        if self._chosen is None:
            self._chosen = choose_objective(self._session.options.objective, meter.model, unloaded)
            progress.say(f"  objective: {self._chosen.objective}, {self._chosen.source}")
        if self._trace is not None:
            progress.say(f"  trace: {self._trace.name}, {self._trace.requests:.0f} in {self._trace.duration_s:g} s")
            point = meter.follow(self._chosen.objective, self._trace, progress.point)
            return meter.result(_of_one(point), unloaded, (), load_s)
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
        without = (
            f"{result.unmet} even at {rate_text(found.lowest_tried_per_s or 0.0)} req/s, the lowest rate that was tried"
        )
        said = f"{rate_text(rate)} req/s within {self._chosen.objective}" if rate else without
        progress.heading(meter.model, f"{said}{result.disturbed and '; disturbed: '}{result.disturbed}")
        return result

    def _manifest(self, model: str) -> dict[str, object]:
        """What the builder says of the newest version of the model, where its repository is at hand."""
        repository = self._session.options.repository
        return newest_manifest(repository / model) if repository is not None else {}

    def _write(self, models: list[ModelResult]) -> Results:
        assert self._chosen is not None
        count, session = len(self._models), self._session
        title = session.header.title or (f"Ladder of {count} models" if count > 1 else self._models[0])
        results = Results(
            run=session.header.model_copy(update={"title": title}),
            objective=self._chosen.objective,
            objective_source=self._chosen.source,
            request_megabytes=dict(self._megabytes),
            requests=dict(session.requests),
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
