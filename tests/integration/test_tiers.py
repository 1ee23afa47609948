"""Tiers on a cluster: a burst on tier 2 leaves tier 1 within its objective, which it would miss without tiers."""

import json
import shlex
from typing import Any

import pytest
import yaml
from choices import merged, prebuilt, server
from cluster import kubectl, name_of, wait_until
from release import ROOT, Release, start_pod, wait_for_end

from model_repo_builder.plan.file import parse_plan
from model_repo_builder.repository import config_pbtxt as config
from model_repo_builder.sources import specification

MODELS = ("interactive", "bulk")
TIERS = {"modelRepository": {"tiers": {name: {"tier": tier} for tier, name in enumerate(MODELS, start=1)}}}
OBJECTIVE = "p95<=250ms"
# Without tiers nothing is refused, and what waits in a burst took all of 1 GiB on a slow machine.
ROOMY = {"resources": {"limits": {"memory": "4Gi"}}}


def _configs(tiers: tuple[int, int]) -> dict[str, str]:
    """config.pbtxt of two models that are both served from the artefact of onnx_fp32."""
    raw = yaml.safe_load((ROOT / "plans" / "tiny.yaml").read_text())
    options = {"intra_op_threads": 2, "allow_spinning": False}
    raw["defaults"] = {"engine": "onnxruntime", "max_batch_size": 4, "options": options}
    # Three instances of tier 2: without tiers they leave tier 1 a quarter of the cores.
    raw["variants"] = [{"name": MODELS[0], "tier": tiers[0]}, {"name": MODELS[1], "tier": tiers[1], "instances": 3}]
    parsed = parse_plan(raw)
    signature = specification.keras_signature(parsed.model)
    return {variant.name: config.render(variant, signature, "python") for variant in parsed.variants}


def _values(images: dict[str, str], tiers: tuple[int, int] = (1, 2)) -> dict[str, Any]:
    """A server of both models; the bash that the prebuilt repository runs makes them of one of its own."""
    made = [
        f"cp -r onnx_fp32 {name}; printf %s {shlex.quote(text)} > {name}/config.pbtxt"
        for name, text in _configs(tiers).items()
    ]
    return merged(server(images, models=list(MODELS)), prebuilt(images, spoil="\n".join(made)), TIERS, ROOMY)


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    installed = Release(namespace)
    installed.install(_values(images), files=["cpu"])
    return installed


def test_tier_1_keeps_its_objective_under_a_burst_on_tier_2_and_the_control_does_not(
    release: Release, images: dict[str, str]
) -> None:
    scenario = ["--scenarios=tier-2", "--phase-s=6", "--effort=smoke", f"--objective={OBJECTIVE}", "--quiet"]
    where = ["--address=triton:8001", "--output=/tmp/results"]
    command = shlex.join(["slo-tuner", "tiers", *MODELS, *where, *scenario])
    # In one line, the last of the log.
    script = f"{command} >&2 && tr -d '\\n' </tmp/results/results.json"
    start_pod(release.namespace, "bursts", images["locust"], ["bash", "-c", script], {})
    results = json.loads(wait_for_end(release.namespace, "bursts", 150).splitlines()[-1])
    (played,) = results["tiers"]["scenarios"]
    limit_ms = results["objective"]["limit_ms"]
    interactive, bulk = (one["phases"][1] for one in played["tiers"])
    assert interactive["quantile_ms"] <= limit_ms
    assert (interactive["shed"] + interactive["timed_out"], interactive["failed"]) == (0, 0)
    assert bulk["shed"] + bulk["timed_out"] > 0
    without = played["control"][0]
    # Whatever the load generator itself added to it.
    assert without["phases"][1]["quantile_ms"] - without["send_delay_p95_ms"] > limit_ms


def test_models_of_other_tiers_than_the_values_say_do_not_start(release: Release, images: dict[str, str]) -> None:
    swapped = Release(release.namespace, name="swapped")
    swapped.install(_values(images, tiers=(2, 1)), files=["cpu"], wait=False)

    def restarted() -> list[str]:
        pods = swapped.pods()
        return [
            name_of(pod) for pod in pods for one in pod["status"].get("containerStatuses", []) if one["restartCount"]
        ]

    (pod, *_) = wait_until("the server was started again", restarted, 120)
    log = kubectl("-n", release.namespace, "logs", pod, "--previous")
    # The hook asks model by model, in the order of their names.
    assert "tuning bulk: it was built with tier 1, the values say 2" in log
    assert swapped.ready_pods() == []
