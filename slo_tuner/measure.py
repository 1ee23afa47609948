"""Measures one model on a running server: unloaded latency, the sweep, and the search for its highest rate."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from .closed import measure_closed, sweep
from .control import Control
from .crew import Crew
from .distributed import Distributed
from .effort import Effort
from .errors import ServerError
from .generator import Generator, InProcess, Run
from .gpu import find_gpus
from .messages import Assignment
from .objective import Objective
from .payload import Payload, make_payload
from .point import MeasuredPoint, Target, measure_point
from .request_values import declared
from .results import ModelResult, Point, Purpose, SweepPoint
from .rows import Floats
from .search import Limits, search
from .server_metrics import MetricsEndpoint, counted_as
from .transport import RequestError

Report = Callable[[Point], None]


@dataclass(frozen=True)
class Endpoint:
    """Where the load goes (`address`), where the server is asked and told things (gRPC), and how requests are made.

    `local` says that the server is a process of this machine, so this machine's GPUs are the server's.
    """

    address: str
    control_address: str
    protocol: str = "grpc"
    metrics_url: str | None = None
    timeout_s: float | None = None
    shapes: dict[str, list[int]] = field(default_factory=dict)
    local: bool = False

    def metrics(self) -> MetricsEndpoint | None:
        """The server's metrics; None where nobody said where they are."""
        if self.metrics_url is None:
            return None
        return MetricsEndpoint(self.metrics_url, find_gpus() if self.local else None)


class Meter:
    """Everything that is measured of one loaded model; `seed` makes the arrivals repeatable.

    The load comes from the `crew`, or from this process where there is none.
    """

    def __init__(
        self,
        control: Control,
        endpoint: Endpoint,
        model: str,
        effort: Effort,
        rows_directory: Path | None,
        seed: int = 1,
        crew: Crew | None = None,
    ) -> None:
        self._control, self._effort, self._rows_directory, self._seed = control, effort, rows_directory, seed
        self.model = model
        self.config = control.config(model)
        self.payload: Payload = make_payload(
            control.metadata(model), self.config.max_batch_size, endpoint.shapes, values=declared(self.config)
        )
        self._endpoint = endpoint
        self._work = Assignment(endpoint.protocol, endpoint.address, endpoint.timeout_s or 30.0, self.payload)
        self._generator: Generator = Distributed(crew, self._work) if crew else InProcess(self._work.route())
        self._target = Target(counted_as(self.config), self._generator, endpoint.metrics())
        self.points: list[Point] = []

    def close(self) -> None:
        """Close the connections of the load."""
        self._generator.close()

    def open(self, offsets_s: Floats) -> Run:
        """Send requests at these times, ascending, shape [n]; the caller watches and ends it."""
        return self._generator.open(offsets_s)

    def check_answered(self) -> None:
        """ServerError, with the reason, unless one request where the load goes is answered."""
        with closing(self._work.route().transport) as transport:
            try:
                transport.send()
            except RequestError as error:
                raise ServerError(f"a request to {self.model!r} at {self._work.address} failed: {error}") from None

    def unloaded_ms(self, seconds: float = 2.0) -> float:
        """Median latency in ms with one request in flight."""
        return self._closed(1, seconds).latency.p50_ms

    def saturation(self, concurrency: int) -> SweepPoint:
        """One closed loop with so many requests in flight."""
        return self._closed(concurrency, self._effort.sweep_s)

    def sweep(self, report: Callable[[SweepPoint], None]) -> tuple[SweepPoint, ...]:
        """The closed-loop curve, each point reported as it comes."""
        points = []
        for point in sweep(
            lambda concurrency: self._closed(concurrency, self._effort.sweep_s), self._effort.largest_concurrency
        ):
            report(point)
            points.append(point)
        return tuple(points)

    def find(self, objective: Objective, curve: tuple[SweepPoint, ...], report: Report) -> dict[str, Any]:
        """Search from the throughput of the curve; the fields of ModelResult that say what was found."""
        saturation = max(point.rate_per_s for point in curve)
        limits = Limits(
            start_rate=0.8 * saturation,
            lowest_rate=max(0.02 * saturation, 0.5),
            allowed_share=objective.miss_share,
            precision=self._effort.precision,
            repeats=self._effort.repeats,
        )
        found = search(lambda rate, purpose: self.point(objective, rate, purpose, report), limits)
        return {
            "met": found.rate_per_s is not None,
            "rate_per_s": found.rate_per_s,
            "missed_per_s": found.missed_per_s,
            "generator_limited": found.generator_limited,
        }

    def point(self, objective: Objective, rate: float, purpose: str, report: Report) -> Point:
        """Measure one point, keep its rows, and report it."""
        effort, number = self._effort, len(self.points) + 1
        timing = effort.timing(rate, objective.limit_ms, repeat=purpose in ("confirm", "single"))
        kind: Purpose = purpose  # type: ignore[assignment]
        measured = measure_point(self._target, objective, rate, timing, number, kind, self._seed * 1000 + number)
        point = self._kept_rows(measured)
        if point.errors:
            self._control.check_alive()
        if point.requests and point.errors == point.requests:
            self._control.check_reachable(5.0)
            reason = next(iter(point.error_reasons), "unknown")
            raise ServerError(f"every request to {self.model!r} failed: {reason}")
        self.points.append(point)
        report(point)
        return point

    def server_config(self) -> dict[str, Any]:
        """The model configuration that was measured, as Triton reports it."""
        return dict(MessageToDict(self.config, preserving_proto_field_name=True))

    def result(
        self, found: dict[str, Any], unloaded_ms: float, curve: tuple[SweepPoint, ...], load_s: float | None
    ) -> ModelResult:
        """The complete result of this model."""
        return ModelResult(
            model=self.model,
            unloaded_ms=unloaded_ms,
            load_s=load_s,
            sweep=curve,
            points=tuple(self.points),
            server_config=self.server_config(),
            **found,
        )

    def _closed(self, concurrency: int, seconds: float) -> SweepPoint:
        point = measure_closed(self._target, concurrency, seconds, self._effort.warm_up_s / 2)
        if point.errors:
            self._control.check_alive()
        if point.requests == 0 or point.errors == point.requests:
            self._control.check_reachable(5.0)
            raise ServerError(f"no request to {self.model!r} was answered within {seconds:g} s")
        return point

    def _kept_rows(self, measured: MeasuredPoint) -> Point:
        if self._rows_directory is None:
            return measured.point
        name = f"{self.model}-{measured.point.number:02}.csv.gz"
        measured.rows.save(self._rows_directory / name, measured.point.warm_up_s)
        return measured.point.model_copy(update={"rows_file": f"{self._rows_directory.name}/{name}"})
