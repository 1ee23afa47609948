"""Tiers in a plan: what each writes into config.pbtxt, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.repository import config_pbtxt
from model_repo_builder.sources import specification

Changed = Callable[..., dict[str, Any]]


def _config(raw: dict[str, Any]) -> Any:
    parsed = parse_plan(raw)
    return config_pbtxt.model_config(parsed.variants[1], specification.keras_signature(parsed.model), "python")


def test_without_a_tier_nothing_of_it_is_written(raw: dict[str, Any]) -> None:
    message = _config(raw)
    assert not message.instance_group[0].HasField("rate_limiter")
    assert not message.dynamic_batching.HasField("default_queue_policy")
    assert "tier" not in message.parameters


def test_each_execution_takes_a_unit_of_the_cores_that_all_models_share(changed: Changed) -> None:
    (group,) = _config(changed("variants", 1, "tier", value=1)).instance_group
    (resource,) = group.rate_limiter.resources
    assert (resource.name, resource.count, getattr(resource, "global")) == ("cpu", 1, True)


def test_on_gpus_the_unit_is_one_of_the_instance_s_own_gpu(changed: Changed) -> None:
    on_gpu = {"name": "fast", "engine": "onnxruntime", "device": "gpu", "tier": 2}
    (group,) = _config(changed("variants", 1, value=on_gpu)).instance_group
    (resource,) = group.rate_limiter.resources
    assert (resource.name, resource.count, getattr(resource, "global")) == ("gpu", 1, False)


def test_tier_2_gets_one_turn_where_tier_1_gets_a_million(changed: Changed) -> None:
    groups = [_config(changed("variants", 1, "tier", value=tier)).instance_group[0] for tier in (1, 2)]
    assert [group.rate_limiter.priority for group in groups] == [1, 1_000_000]


def test_the_tier_can_be_asked_of_the_server(changed: Changed) -> None:
    assert _config(changed("variants", 1, "tier", value=2)).parameters["tier"].string_value == "2"


def test_tier_1_waits_as_long_as_it_takes(changed: Changed) -> None:
    batching = _config(changed("variants", 1, "tier", value=1)).dynamic_batching
    assert not batching.HasField("default_queue_policy")


def test_tier_2_rejects_what_waits_too_long_or_behind_too_many(raw: dict[str, Any]) -> None:
    raw["variants"][1] |= {"tier": 2, "max_batch_size": 8, "instances": 3}
    policy = _config(raw).dynamic_batching.default_queue_policy
    assert policy.timeout_action == pb.ModelQueuePolicy.REJECT
    assert (policy.default_timeout_microseconds, policy.max_queue_size) == (200_000, 4 * 8 * 3)


def test_a_queue_of_the_plan_s_own_stays(raw: dict[str, Any]) -> None:
    raw["variants"][1] |= {"tier": 2, "queue": {"max_size": 7, "timeout_us": 1000}}
    policy = _config(raw).dynamic_batching.default_queue_policy
    assert (policy.default_timeout_microseconds, policy.max_queue_size) == (1000, 7)


@pytest.mark.parametrize(
    ("tier", "priority"),
    [(1, pb.ModelOptimizationPolicy.PRIORITY_MAX), (2, pb.ModelOptimizationPolicy.PRIORITY_MIN)],
)
def test_tensorrt_gives_a_tier_s_cuda_streams_its_priority(changed: Changed, tier: int, priority: int) -> None:
    variant = {"name": "fast", "engine": "tensorrt", "device": "gpu", "tier": tier}
    parsed = parse_plan(changed("variants", 1, value=variant), runtime="ngc")
    message = config_pbtxt.model_config(parsed.variants[1], specification.keras_signature(parsed.model), "ngc")
    assert message.optimization.priority == priority


def test_other_backends_heed_no_priority_so_none_is_written(changed: Changed) -> None:
    assert not _config(changed("variants", 1, "tier", value=1)).HasField("optimization")


@pytest.mark.parametrize("tier", [0, 3, "first"])
def test_any_other_tier_is_refused(changed: Changed, tier: object) -> None:
    with pytest.raises(InvalidError, match="tier"):
        parse_plan(changed("variants", 1, "tier", value=tier))


@pytest.mark.parametrize(
    "queue",
    [{"max_size": 7}, {"timeout_us": 1000}, {"max_size": 7, "timeout_us": 1000, "on_timeout": "delay"}],
)
def test_a_queue_that_never_sheds_is_refused_for_tier_2(raw: dict[str, Any], queue: dict[str, Any]) -> None:
    raw["variants"][1] |= {"tier": 2, "queue": queue}
    with pytest.raises(InvalidError, match="with on_timeout reject, for tier 2"):
        parse_plan(raw)
