"""Every choice of `slo-tuner fleet` becomes values that the chart takes, and an autoscaler of just these numbers."""

from typing import Any

import pytest
import yaml
from cases import URL, with_values
from render import one, render
from validation import errors

from slo_tuner.fleet.settings import ScalingSettings
from slo_tuner.fleet.values_file import scaling_values

USUAL = ScalingSettings(least=3, most=40, rate_target_percent=70, cooldown_s=600, window_s=90)


def _rendered(settings: ScalingSettings) -> list[dict[str, Any]]:
    text = yaml.safe_dump(
        {"scaling": scaling_values(settings, 71.629), "monitoring": {"podMonitor": {"enabled": True}}}
    )
    return render(with_values(URL, yaml.safe_load(text)))


@pytest.mark.parametrize(
    "settings",
    [
        USUAL,
        USUAL.model_copy(update={"queue_target_ms": 36.0}),
        USUAL.model_copy(update={"rate_target_percent": None, "queue_target_ms": 36.0}),
        USUAL.model_copy(update={"rate_target_percent": None, "gpu_target_percent": 85}),
        USUAL.model_copy(update={"mode": "hpa"}),
        ScalingSettings(mode="fixed", replicas=12),
    ],
    ids=str,
)
def test_settings_are_values_of_the_chart(settings: ScalingSettings) -> None:
    assert errors(_rendered(settings)) == []


def test_the_scaled_object_has_the_numbers_that_were_simulated() -> None:
    scaled = one(_rendered(USUAL), "ScaledObject")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"], scaled["cooldownPeriod"]) == (3, 40, 600)
    (trigger,) = scaled["triggers"]
    assert float(trigger["metadata"]["threshold"]) == pytest.approx(0.7 * 71.63)
    assert "[90s]" in trigger["metadata"]["query"]
    behaviour = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 600


def test_a_fixed_fleet_has_its_pods() -> None:
    assert one(_rendered(ScalingSettings(mode="fixed", replicas=12)), "Deployment")["spec"]["replicas"] == 12
