"""The values file of charts/triton that a choice becomes."""

import math
from pathlib import Path
from typing import Any

import yaml

from command_line.errors import ResultsError
from command_line.files import write_whole

from ..slo.numerals import percent
from .autoscaler import TOLERANCE
from .record import Choice, FleetRecord, FleetResults
from .settings import ScalingSettings


def scaling_values(settings: ScalingSettings, capacity_per_s: float) -> dict[str, Any]:
    """`scaling` of charts/triton for these settings."""
    capacity = float(f"{capacity_per_s:.4g}")
    if settings.mode == "fixed":
        return {"mode": "fixed", "replicas": settings.replicas}
    rate: dict[str, Any] = {"enabled": settings.rate_target_percent is not None, "perPodCapacity": capacity}
    queue: dict[str, Any] = {"enabled": settings.queue_target_ms is not None}
    gpu: dict[str, Any] = {"enabled": settings.gpu_target_percent is not None}
    if settings.rate_target_percent is not None:
        rate["targetPercent"] = settings.rate_target_percent
    if settings.queue_target_ms is not None:
        queue["targetMs"] = settings.queue_target_ms
    if settings.gpu_target_percent is not None:
        gpu["targetPercent"] = settings.gpu_target_percent
    return {
        "mode": settings.mode,
        "minReplicas": settings.least,
        "maxReplicas": settings.most,
        "cooldownSeconds": settings.cooldown_s,
        "windowSeconds": settings.window_s,
        "scaleUp": {
            "percent": settings.up_percent,
            "pods": settings.up_pods,
            "periodSeconds": settings.up_period_s,
            "stabilizationSeconds": settings.up_stabilization_s,
        },
        "scaleDown": {"percent": settings.down_percent, "periodSeconds": settings.down_period_s},
        "queueTime": queue,
        "gpuUtilization": gpu,
        "requestRate": rate,
        "keda": {"pollingIntervalSeconds": settings.polling_s},
    }


def kept_headroom_percent(fleet: FleetRecord, settings: ScalingSettings) -> int:
    """What the Pods have to spare, in percent, as long as the autoscaler works as it should; 0 for nothing.

    Below its tolerance above the target it adds no Pod. Where the trace never rises by so much until new nodes come,
    its steepest rise is enough.
    """
    if settings.rate_target_percent is None:
        return 0
    kept = 100 * (100 / (settings.rate_target_percent * (1 + TOLERANCE)) - 1)
    rises = [one.highest for one in fleet.headroom if one.start_up_s >= fleet.start_up.new_node_s]
    return max(0, math.floor(min(kept, 100 * rises[0] if rises else kept)))


def values_text(results: FleetResults, choice: Choice) -> str:
    """The file's text, with what the choice was made for."""
    fleet = results.fleet
    values: dict[str, Any] = {"scaling": scaling_values(choice.scaling, fleet.capacity_per_s)}
    if choice.scaling.mode != "fixed":
        values["monitoring"] = {"podMonitor": {"enabled": True}}
        if spare := kept_headroom_percent(fleet, choice.scaling):
            values["monitoring"]["prometheusRule"] = {"thresholds": {"headroomPercent": spare}}
    # Names of files and models are foreign text: a line break in one would end the comment.
    model, trace = (" ".join(name.split()) for name in (fleet.model, fleet.trace.name))
    said = (
        f"# Written by slo-tuner fleet on {results.run.created[:10]}: {model} on {fleet.machine}, {choice.name}.\n"
        f"# Trace: {trace}. {percent(choice.late_share, fleet.allowed_share)} late over all, "
        f"{percent(choice.worst_share, fleet.allowed_worst_share)} in the worst ten minutes, "
        f"at {choice.mean_pods:.1f} Pods on average (simulated).\n"
    )
    if not choice.kept:
        said += "# It does not keep what its name promises: no settings that were tried do, and these come closest.\n"
    return said + yaml.safe_dump(values, sort_keys=False)


def write_values(results: FleetResults, output: Path, name: str) -> dict[str, Path]:
    """Write values/fleet-NAME.yaml, the balanced choice, and one file for each other; by the names of their keys."""
    files: dict[str, Path] = {}
    for choice in results.fleet.choices:
        if choice.name == "fixed":
            continue
        suffix = "" if choice.name == "balanced" else f"-{choice.name}"
        path = output / "values" / f"fleet-{name}{suffix}.yaml"
        try:
            write_whole(path, values_text(results, choice))
        except OSError as error:
            raise ResultsError(f"{path} cannot be written: {error.strerror}") from None
        files[f"values{suffix}.yaml"] = path
    return files
