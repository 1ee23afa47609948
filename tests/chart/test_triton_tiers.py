"""Models with tiers: the server's arguments, and the start that checks what the models were built with."""

import json
from typing import Any

import pytest
from cases import URL, at, with_values
from render import HelmRefused, one, render
from test_triton_tuning import SCRIPT, Triton, run_hook

TIERS = {"modelRepository": {"models": ["fast", "bulk"], "tiers": {"fast": {"tier": 1}, "bulk": {"tier": 2}}}}
VALUES = with_values(URL, TIERS)


def _args(values: dict[str, Any]) -> list[str]:
    container = one(render(values), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return [argument for argument in container["args"] if "rate-limit" in argument]


def test_tiers_switch_the_rate_limiter_on() -> None:
    assert _args(URL) == ["--rate-limit=off"]
    resources = ["--rate-limit-resource=cpu:1", "--rate-limit-resource=gpu:1"]
    assert _args(VALUES) == ["--rate-limit=execution_count", *resources]


def test_more_executions_can_run_side_by_side() -> None:
    args = _args(with_values(VALUES, at("server.rateLimit.tierExecutions", 4)))
    assert args[1:] == ["--rate-limit-resource=cpu:4", "--rate-limit-resource=gpu:4"]


def test_the_start_checks_every_tier() -> None:
    manifests = render(VALUES)
    data = one(manifests, "ConfigMap", "-scripts")["data"]
    assert json.loads(data["tuning.json"]) == {"fast": {"tier": 1}, "bulk": {"tier": 2}}
    container = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert "postStart" in container["lifecycle"] and data["apply_tuning.py"] == SCRIPT.read_text()


def test_a_tier_stands_beside_a_tuning() -> None:
    tuned = with_values(VALUES, {"modelRepository": {"tuning": {"fast": {"instances": 2}}}})
    data = one(render(tuned), "ConfigMap", "-scripts")["data"]
    assert json.loads(data["tuning.json"]) == {"fast": {"instances": 2, "tier": 1}, "bulk": {"tier": 2}}


@pytest.mark.parametrize("declared", [{}, {"tier": 3}, {"tier": "1"}, {"tier": 1, "weight": 2}, 1])
def test_a_wrong_tier_is_refused(declared: Any) -> None:
    with pytest.raises(HelmRefused, match="tiers"):
        render(with_values(URL, {"modelRepository": {"tiers": {"original": declared}}}))


def _with_tier(tier: int) -> Triton:
    triton = Triton()
    triton.config["parameters"] = {"tier": {"string_value": str(tier)}}
    return triton


def test_a_model_that_was_built_with_its_tier_is_left_alone(tmp_path: Any) -> None:
    triton = _with_tier(1)
    before = triton.config
    assert run_hook(triton, {"fast": {"tier": 1}}, tmp_path).returncode == 0
    assert triton.config is before


@pytest.mark.parametrize(("triton", "built"), [(_with_tier(2), "2"), (Triton(), "none")], ids=["other", "none"])
def test_a_model_of_another_tier_ends_the_start(triton: Triton, built: str, tmp_path: Any) -> None:
    done = run_hook(triton, {"fast": {"tier": 1, "instances": 2}}, tmp_path)
    assert done.returncode == 1
    said = f"it was built with tier {built}, the values say 1: give its variant `tier: 1`"
    assert done.stderr.strip() == f"tuning fast: {said}"
