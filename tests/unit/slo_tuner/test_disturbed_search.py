"""What the search gets of a disturbed point: real load on a server that answers at once, on a machine as it is told."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from tritonclient.grpc import model_config_pb2, service_pb2

from slo_tuner.measurement.disturbance import Machine
from slo_tuner.measurement.effort import Effort
from slo_tuner.measurement.meter import Meter, Surroundings, Thoroughness
from slo_tuner.measurement.patience import Patience
from slo_tuner.results.schema import Disturbance
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.rate_search import Found
from slo_tuner.triton.control import Control
from slo_tuner.triton.endpoint import Endpoint

pytestmark = pytest.mark.slow

QUIET = Disturbance(cores=2, foreign_cores=0.01)
BUSY = Disturbance(cores=2, foreign_cores=0.8, disturbed=True)
EFFORT = Effort(point_s=0.4, point_requests=8, least_s=0.3, confirm_s=0.3, confirm_least_s=0.3, warm_up_s=0.1)
KEPT, MISSED = Objective(quantile=0.5, limit_ms=500), Objective(limit_ms=0.001)


class OneModel:
    """Describes a model of small images, as a server's control side does."""

    def config(self, model: str) -> model_config_pb2.ModelConfig:
        return model_config_pb2.ModelConfig(name=model)

    def metadata(self, model: str) -> service_pb2.ModelMetadataResponse:
        found = service_pb2.ModelMetadataResponse(name=model)
        found.inputs.add(name="image", datatype="UINT8", shape=[4])
        return found


class ToldMachine:
    """Says after each measurement what it is told to, and is quiet or busy between them."""

    server_cpu_s = None

    def __init__(self, *after: Disturbance, between: Disturbance) -> None:
        self._after, self._between = list(after), between

    def watch(self) -> "ToldMachine":
        return self

    def end(self) -> Disturbance:
        return self._after.pop(0)

    def close(self) -> None:
        """Nothing to stop."""

    def look(self, _: float) -> Disturbance:
        return self._between


@pytest.fixture
def meters(address: str) -> Iterator[Any]:
    """Makes a meter on a machine that is told what to say."""
    opened: list[Meter] = []

    def make(*after: Disturbance, between: Disturbance) -> Meter:
        machine = cast(Machine, ToldMachine(*after, between=between))
        patience = Patience(lambda _: None, 1.0, 60.0)
        control, endpoint = cast(Control, OneModel()), Endpoint(address, address, timeout_s=5.0)
        opened.append(
            Meter(control, endpoint, "m", Thoroughness(EFFORT), Surroundings(machine=machine, patience=patience))
        )
        return opened[-1]

    yield make
    for meter in opened:
        meter.close()


def _ignore(*_: object) -> None:
    """Nobody watches."""


def test_the_search_gets_the_quiet_repetition_of_a_disturbed_miss(meters: Any) -> None:
    meter = meters(BUSY, QUIET, between=QUIET)
    point = meter.point(MISSED, 20.0, "bisect", _ignore)
    assert (point.number, point.disturbed, point.repeated) == (2, False, False)
    assert [(p.number, p.repeated) for p in meter.points] == [(1, True), (2, False)]


def test_a_disturbed_miss_on_a_machine_that_stays_busy_is_taken_and_marked(meters: Any) -> None:
    meter = meters(BUSY, between=BUSY)
    point = meter.point(MISSED, 20.0, "bisect", _ignore)
    assert point.disturbed and not point.repeated
    found = Found(rate_per_s=None, missed_per_s=20.0)
    assert meter.result(found, 1.0, (), None).disturbed == "other programs took 0.8 of 2 cores"


def test_a_rate_that_is_kept_in_spite_of_a_disturbance_needs_no_repetition(meters: Any) -> None:
    meter = meters(BUSY, between=QUIET)
    assert meter.point(KEPT, 20.0, "bisect", _ignore).disturbed
    assert len(meter.points) == 1


def test_a_disturbed_repeat_is_measured_again_even_if_it_kept(meters: Any) -> None:
    meter = meters(BUSY, QUIET, between=QUIET)
    assert not meter.point(KEPT, 20.0, "confirm", _ignore).disturbed
    result = meter.result(Found(rate_per_s=20.0, missed_per_s=None), 1.0, (), None)
    assert result.disturbed == "" and len(result.confirmations) == 1


def test_the_unloaded_latency_is_that_of_a_quiet_machine(meters: Any) -> None:
    meter = meters(BUSY, BUSY, QUIET, between=QUIET)
    unloaded_ms = meter.unloaded_ms(0.2)
    result = meter.result(Found(rate_per_s=None, missed_per_s=None), unloaded_ms, (), None)
    assert result.unloaded_disturbance == QUIET
