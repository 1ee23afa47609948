"""One Pod's capacity and service time from what was measured of a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from command_line.errors import UsageError

from ..capacity.configuration import Configuration
from ..capacity.fit import Saturation, effective_batch, fit_service_time
from ..capacity.queue_model import ServiceTime, best_rates
from ..results.schema import ModelResult
from ..slo.objective import Objective
from .pod_queue import PodModel

_CLOSEST = 0.002
_MOST_FACTOR = 20.0
_LONGEST_LOAD_S = 86_400.0


@dataclass(frozen=True)
class Measured:
    """A Pod as it was measured: its model, the rate that it keeps, and where that is from."""

    model: str
    pod: PodModel
    capacity_per_s: float
    load_s: float | None
    disturbed: str
    at_least: bool


def measured_pod(result: ModelResult, objective: Objective, saturations: Sequence[Saturation] = ()) -> Measured:
    """The Pod of a result; UsageError where it tells too little.

    The service time's shape is fitted to closed loops, those of the result or, of a tuning, `saturations`; then it is
    scaled so that the queue model keeps exactly the rate that was measured.
    """
    rate, unloaded_ms = result.rate_per_s, result.unloaded_ms
    if rate is None:
        raise UsageError("model", result.model, "its results have no rate within the objective")
    if unloaded_ms is None:
        raise UsageError("model", result.model, "its results have no unloaded latency: measure it without --rate")
    if not 0 < unloaded_ms <= objective.limit_ms:
        allowed = f"its unloaded latency is {unloaded_ms:g} ms; above 0 and within {objective.limit_ms:g} ms is allowed"
        raise UsageError("model", result.model, allowed)
    if result.load_s is not None and not 0 <= result.load_s < _LONGEST_LOAD_S:
        raise UsageError("model", result.model, f"its load took {result.load_s:g} s; 0 s to a day is allowed")
    try:
        configuration = configuration_of(result)
    except (AttributeError, TypeError, ValueError):
        raise UsageError("model", result.model, "its server_config is no configuration of Triton") from None
    points = [*saturations, *(_saturation(result, configuration))]
    if not points:
        raise UsageError("model", result.model, "its results have no closed loops: measure it without --rate")
    fitted = fit_service_time(points, unloaded_ms / 1000)
    outside_s = max(0.0, unloaded_ms / 1000 - (fitted.own + fitted.fixed + fitted.item))
    limit_s = objective.limit_ms / 1000 - outside_s
    service = _calibrated(fitted, configuration, limit_s, objective.miss_share, rate)
    if service is None:
        most = max(point.rate_per_s for point in points)
        said = f"its rate of {rate:.4g} requests/s does not fit its closed loops, which reach {most:.4g}"
        raise UsageError("model", result.model, said)
    pod = PodModel(configuration, service, outside_s)
    return Measured(result.model, pod, rate, result.load_s, result.disturbed, result.at_least)


def configuration_of(result: ModelResult) -> Configuration:
    """The configuration that was served, as Triton reported it."""
    config = result.server_config
    batching = config.get("dynamic_batching") or {}
    groups = config.get("instance_group") or [{}]
    instances = sum(int(group.get("count", 1)) * max(1, len(group.get("gpus", ()))) for group in groups)
    # Without dynamic batching Triton serves what a request holds, alone.
    batch = max(1, int(config.get("max_batch_size", 1))) if "dynamic_batching" in config else 1
    preferred = tuple(int(size) for size in batching.get("preferred_batch_size", ()))
    delay = int(batching.get("max_queue_delay_microseconds", 0))
    return Configuration(batch=batch, instances=max(1, instances), delay_us=delay, preferred=preferred).normal()


def _saturation(result: ModelResult, configuration: Configuration) -> list[Saturation]:
    found = []
    for point in (point for point in result.sweep if point.rate_per_s > 0):
        guessed = effective_batch(point.concurrency, configuration.instances, configuration.batch)
        batch = point.server.batch_size if point.server is not None else guessed
        busy = min(configuration.instances, point.concurrency)
        found.append(Saturation(max(1.0, batch), busy, point.rate_per_s))
    return found


def _calibrated(
    service: ServiceTime, configuration: Configuration, limit_s: float, allowed_share: float, rate: float
) -> ServiceTime | None:
    """All times times one factor, so that the model keeps the measured rate; None where no such factor is near 1."""
    low, high = math.log(1 / _MOST_FACTOR), math.log(_MOST_FACTOR)
    while high - low > _CLOSEST:
        middle = (low + high) / 2
        kept = best_rates([configuration], scaled(service, math.exp(middle)), limit_s, allowed_share)
        low, high = (middle, high) if float(kept[0]) > rate else (low, middle)
    if math.log(_MOST_FACTOR) - abs(low) < 2 * _CLOSEST:
        return None
    return scaled(service, math.exp((low + high) / 2))


def scaled(service: ServiceTime, factor: float) -> ServiceTime:
    """The service time with all of its times multiplied."""
    return replace(service, own=service.own * factor, fixed=service.fixed * factor, item=service.item * factor)
