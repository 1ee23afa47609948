"""A model on a running Triton as the bench of the tuner: reconfigured without a restart, left as it was found."""

from collections.abc import Callable

from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ModelError

from ..capacity.configuration import Configuration
from ..measurement.meter import Meter
from ..results.schema import Point, SweepPoint
from ..session.progress import Progress
from ..slo.objective import Objective
from ..triton.control import Control
from ..triton.deadlines import LOAD_S
from .trial import RefusedError
from .triton_config import check_tunable, read_configuration, with_configuration

OpenMeter = Callable[[], Meter]
"""Opens the connections of the load to the model as it is configured now."""


class TritonSystem:
    """Measures one model under configurations that Triton gets by its model control API; see `trial.MeasuredSystem`.

    `objective` has to be set before a point is measured.
    """

    def __init__(self, control: Control, model: str, open_meter: OpenMeter, progress: Progress) -> None:
        """Read the configuration as it is; ModelError for a model that can't be tuned."""
        self._control, self._model, self._open_meter, self._progress = control, model, open_meter, progress
        self._meter: Meter | None = None
        self.objective: Objective | None = None
        self.as_found = control.config(model)
        check_tunable(self.as_found)

    @property
    def meter(self) -> Meter:
        """What measures the present configuration."""
        assert self._meter is not None, "configure first"
        return self._meter

    def configure(self, configuration: Configuration) -> float:
        """Serve with a configuration; the seconds until it was ready. RefusedError with Triton's reason."""
        self.close()
        config = with_configuration(self.as_found, configuration)
        try:
            seconds = self._control.load(self._model, LOAD_S, config)
        except ModelError:
            # The old instances hold their memory until the new ones are ready: once more without them.
            self._control.check_reachable()
            if self._control.is_ready(self._model):
                self._control.unload(self._model)
            seconds = self._load_alone(config)
        served = read_configuration(self._control.config(self._model))
        if served != configuration.normal():
            raise RefusedError(f"the server made it {served}")
        self._meter = self._open_meter()
        return seconds

    def closed(self, concurrency: int) -> SweepPoint:
        """A short closed loop with so many requests in flight."""
        point = self.meter.run_closed_loop(concurrency)
        self._progress.sweep_point(point)
        return point

    def point(self, rate: float, purpose: str) -> Point:
        """One open-loop point at `rate` requests per second."""
        assert self.objective is not None
        return self.meter.point(self.objective, rate, purpose, self._progress.point)

    def close(self) -> None:
        """Close the connections of the load."""
        if self._meter is not None:
            self._meter.close()
            self._meter = None

    def _load_alone(self, config: ModelConfig) -> float:
        try:
            return self._control.load(self._model, LOAD_S, config)
        except ModelError as error:
            self._control.check_reachable()
            raise RefusedError(str(error)) from None
