"""Measures one model on a running server: unloaded latency, the sweep, and the search for its highest rate."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from command_line.errors import ServerError
from triton_contract.input_values import declared

from ..access.diagnosis import diagnosis
from ..access.reasons import refusal
from ..load.arrivals import poisson_arrivals
from ..load.distributed import Distributed
from ..load.examples import describe, find_examples, read_rows, wanted
from ..load.generator import Generator, InProcess, Run
from ..load.master import LoadMaster
from ..load.messages import Assignment
from ..load.payload import Payloads, make_payload, make_payloads
from ..load.request_log import Floats
from ..load.traffic.trace import Trace
from ..load.transport import RequestError
from ..results.schema import Disturbance, ModelResult, Point, Purpose, RequestsSent, SweepPoint, result_disturbed
from ..slo.objective import Objective
from ..slo.rate_search import Found, Limits, search
from ..triton.control import Control
from ..triton.endpoint import Endpoint
from ..triton.server_metrics import counted_as
from .closed_loop import measure_closed, sweep
from .disturbance import Machine
from .effort import Effort
from .open_loop import MeasuredPoint, PointSpec, Target, Timing, measure_point
from .patience import Patience

OnPoint = Callable[[Objective, Point], None]

FIRST_TIMEOUT_S = 60.0
"""Time-out of a request while nothing is known of the model yet."""
LEAST_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Thoroughness:
    """How a model is measured: how long, where the rows of its points are kept, and what makes its arrivals."""

    effort: Effort
    rows_directory: Path | None = None
    seed: int = 1


@dataclass(frozen=True)
class Surroundings:
    """What makes the load, this process without a `load_master`; the machine, and the patience with its others."""

    load_master: LoadMaster | None = None
    machine: Machine | None = None
    patience: Patience | None = None


class Meter:
    """Everything that is measured of one loaded model; the seed makes the arrivals repeatable.

    With a machine and patience, what was measured while others took much of it is measured again when it is quiet.
    """

    def __init__(
        self,
        control: Control,
        endpoint: Endpoint,
        model: str,
        thoroughness: Thoroughness,
        surroundings: Surroundings | None = None,
    ) -> None:
        surroundings = surroundings or Surroundings()
        self._control, self._effort = control, thoroughness.effort
        self._rows_directory, self._seed = thoroughness.rows_directory, thoroughness.seed
        self.model = model
        self.config = control.config(model)
        self.payloads, self.requests = self._prepared(endpoint)
        self._endpoint, self._load_master, self._unloaded_ms = endpoint.expanded(), surroundings.load_master, 0.0
        self.machine, self.patience = surroundings.machine, surroundings.patience
        self._unloaded_disturbance: Disturbance | None = None
        self._generator: Generator | None = None
        self._assign(endpoint.timeout_s or FIRST_TIMEOUT_S)
        self.points: list[Point] = []
        self._forgotten = 0

    def _prepared(self, endpoint: Endpoint) -> tuple[Payloads, RequestsSent | None]:
        """The requests, and what rows they are; one that is generated where there are no examples."""
        metadata, largest = self._control.metadata(self.model), self.config.max_batch_size
        source = find_examples(self.model, endpoint.examples, endpoint.repository)
        if source is None:
            return (make_payload(metadata, largest, endpoint.shapes, values=declared(self.config)),), None
        rows = read_rows(source, wanted(metadata, largest))
        payloads = make_payloads(metadata, largest, rows)
        return payloads, describe(source, rows, [payload.megabytes for payload in payloads])

    @property
    def megabytes(self) -> float:
        """Mean size of a request in MB, over gRPC."""
        return sum(payload.megabytes for payload in self.payloads) / len(self.payloads)

    def _assign(self, timeout_s: float) -> None:
        """Open the load's connections, with this time-out of a request."""
        if self._generator is not None:
            self._generator.close()
        endpoint = self._endpoint
        self._work = Assignment(
            endpoint.protocol,
            endpoint.address,
            timeout_s,
            self.payloads,
            endpoint.proxy,
            server_names=endpoint.server_names,
            access=endpoint.access,
        )
        self._generator = Distributed(self._load_master, self._work) if self._load_master else InProcess(self._work)
        self._target = Target(
            counted_as(self.config), self._generator, endpoint.metrics(), self.machine, endpoint.addresses
        )

    def _bound(self, objective: Objective) -> None:
        """Without a time-out that was asked for, a request gets 10 times its limit or its unloaded latency.

        A server that can't keep up would otherwise be waited for much longer than its point lasts.
        """
        wanted = max(LEAST_TIMEOUT_S, 10 * objective.limit_ms / 1000, 10 * self._unloaded_ms / 1000)
        if self._endpoint.timeout_s is None and wanted != self._work.timeout_s:
            self._assign(wanted)

    def close(self) -> None:
        """Close the connections of the load."""
        self._target.generator.close()

    def open(self, offsets_s: Floats) -> Run:
        """Send requests at these times, ascending, shape [n]; the caller watches and ends it."""
        return self._target.generator.open(offsets_s)

    def check_answered(self) -> None:
        """ServerError, with the reason, unless one request where the load goes is answered."""
        with closing(self._work.route().transport) as transport:
            try:
                transport.send()
            except RequestError as error:
                raise ServerError(
                    f"a request to {self.model!r} at {self._work.address} failed: {self._explained(str(error))}"
                ) from None

    def unloaded_ms(self, seconds: float = 2.0) -> float:
        """Median latency in ms with one request in flight."""
        point = self._closed(1, seconds)
        self._unloaded_disturbance = point.disturbance
        self._unloaded_ms = point.latency.p50_ms
        return self._unloaded_ms

    def run_closed_loop(self, concurrency: int) -> SweepPoint:
        """One closed loop with so many requests in flight."""
        return self._closed(concurrency, self._effort.sweep_s)

    def sweep(self, on_point: Callable[[SweepPoint], None]) -> tuple[SweepPoint, ...]:
        """The closed-loop curve, each point reported as it comes."""
        points = []
        for point in sweep(
            lambda concurrency: self._closed(concurrency, self._effort.sweep_s), self._effort.largest_concurrency
        ):
            on_point(point)
            points.append(point)
        return tuple(points)

    def find(self, objective: Objective, curve: tuple[SweepPoint, ...], on_point: OnPoint) -> Found:
        """Search from the throughput of the curve."""
        saturation = max(point.rate_per_s for point in curve)
        limits = Limits(
            start_rate=0.8 * saturation,
            # A server of less than two requests a second has no room for steps above half a request a second.
            lowest_rate=max(0.02 * saturation, min(0.5, 0.25 * saturation)),
            objective=objective,
            precision=self._effort.precision,
            repeats=self._effort.repeats,
        )
        return search(lambda rate, purpose: self.point(objective, rate, purpose, on_point), limits)

    def point(self, objective: Objective, rate: float, purpose: str, on_point: OnPoint) -> Point:
        """Measure one point, keep its rows, and report it; the last one, where it was measured again.

        A point of the search that kept its objective although it was disturbed would also keep it on a quiet machine.
        """

        def measure() -> Point:
            return self._point(objective, rate, purpose, on_point)

        if self.machine is None or self.patience is None:
            return measure()
        decides = purpose in ("confirm", "single")
        return self.patience.measured(
            self.machine.look, measure, lambda point: decides or point.invalid or not point.kept, self._replaced
        )

    def follow(self, objective: Objective, trace: Trace, on_point: OnPoint) -> Point:
        """Send the requests of a trace at its own times, after a warm-up at the mean of its first minute; one point.

        It is measured once: what comes at the trace's own times can't be repeated in a moment.
        """
        warm_up_s = self._effort.timing(trace.mean_per_s, objective.limit_ms, repeat=True).warm_up_s
        before = trace.cut(60.0).mean_per_s
        warm_up = poisson_arrivals(before, warm_up_s, self._seed) if before > 0 else np.empty(0)
        offsets_s = np.concatenate([warm_up, warm_up_s + trace.arrivals(self._seed)])
        timing = Timing(warm_up_s, trace.duration_s, trace.duration_s, sequential=False)
        spec = PointSpec(trace.mean_per_s, "trace", self._forgotten + len(self.points) + 1, self._seed, offsets_s)
        return self._offered(objective, spec, timing, on_point)

    def _replaced(self, point: Point) -> None:
        self.points[self.points.index(point)] = point.model_copy(update={"repeated": True})

    def _point(self, objective: Objective, rate: float, purpose: str, on_point: OnPoint) -> Point:
        effort, number = self._effort, self._forgotten + len(self.points) + 1
        timing = effort.timing(rate, objective.limit_ms, repeat=purpose in ("confirm", "single"))
        kind: Purpose = purpose  # type: ignore[assignment]
        spec = PointSpec(rate, kind, number, seed=self._seed * 1000 + number)
        return self._offered(objective, spec, timing, on_point)

    def _offered(self, objective: Objective, spec: PointSpec, timing: Timing, on_point: OnPoint) -> Point:
        self._bound(objective)
        measured = measure_point(self._target, objective, spec, timing)
        point = self._kept_rows(measured)
        if point.errors:
            self._control.check_alive()
        if point.requests and point.errors == point.requests:
            self._control.check_reachable(5.0)
            raise ServerError(f"every request to {self.model!r} failed: {self._why(point)}")
        self.points.append(point)
        on_point(objective, point)
        return point

    def forget_points(self) -> None:
        """Forget the points so far: they were judged by an objective that no longer counts. Their rows stay."""
        self._forgotten += len(self.points)
        self.points.clear()

    def server_config(self) -> dict[str, Any]:
        """The model configuration that was measured, as Triton reports it."""
        return dict(MessageToDict(self.config, preserving_proto_field_name=True))

    def result(
        self, found: Found, unloaded_ms: float, curve: tuple[SweepPoint, ...], load_s: float | None
    ) -> ModelResult:
        """The complete result of this model."""
        return ModelResult(
            model=self.model,
            rate_per_s=found.rate_per_s,
            missed_per_s=found.missed_per_s,
            lowest_tried_per_s=found.lowest_tried_per_s,
            generator_limited=found.generator_limited,
            disturbed=result_disturbed(self.points, found.rate_per_s, found.missed_per_s),
            unloaded_ms=unloaded_ms,
            unloaded_disturbance=self._unloaded_disturbance,
            load_s=load_s,
            sweep=curve,
            points=tuple(self.points),
            server_config=self.server_config(),
        )

    def _closed(self, concurrency: int, seconds: float) -> SweepPoint:
        def measure() -> SweepPoint:
            return self._closed_once(concurrency, seconds)

        if self.machine is None or self.patience is None:
            return measure()
        return self.patience.measured(self.machine.look, measure, lambda _: True, lambda _: None)

    def _closed_once(self, concurrency: int, seconds: float) -> SweepPoint:
        point = measure_closed(self._target, concurrency, seconds, self._effort.warm_up_s / 2)
        if point.errors:
            self._control.check_alive()
        if point.errors == point.requests:
            self._control.check_reachable(5.0)
            raise ServerError(
                f"no request to {self.model!r} was answered in {point.duration_s:.1f} s: {self._why(point)}"
            )
        return point

    def _why(self, point: Point | SweepPoint) -> str:
        reason = next(iter(point.error_reasons), "no request was sent")
        late = "DEADLINE_EXCEEDED" in reason or "timed out" in reason
        if late:
            return f"{reason} (the time-out of a request is {self._work.timeout_s:g} s: --timeout-s)"
        return self._explained(reason)

    def _explained(self, reason: str) -> str:
        """Why requests fail, with what TLS or a token has to do with it."""
        endpoint, address = self._endpoint, self._endpoint.addresses[0]
        if refused := refusal(reason, endpoint.access):
            return f"{refused} ({reason})"
        return diagnosis(address, endpoint.name_of(address), endpoint.access) or reason

    def _kept_rows(self, measured: MeasuredPoint) -> Point:
        if self._rows_directory is None:
            return measured.point
        name = f"{self.model}-{measured.point.number:02}.csv.gz"
        measured.rows.save(self._rows_directory / name, measured.point.warm_up_s)
        return measured.point.model_copy(update={"rows_file": f"{self._rows_directory.name}/{name}"})
