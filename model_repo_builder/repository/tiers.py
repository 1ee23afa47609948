"""What the tier of a model means in Triton's own terms, across the models of one server: docs/how-to/tiers.md.

Tiers are held by a server that runs with `--rate-limit=execution_count`; without it the rate limiter's part is ignored.
"""

from __future__ import annotations

from typing import Any

from model_repo_builder.plan.schema import Queue, Variant
from triton_contract.tier import PARAMETER

# Weights, not an order, of executions counted since the model was loaded: with a small one a tier 2 model that was idle
# for long would overtake tier 1 until its count has caught up.
PRIORITIES = {1: 1, 2: 1_000_000}
QUEUE_BATCHES = 4
QUEUE_TIMEOUT_US = 200_000


def set_tier(config: Any, variant: Variant) -> None:
    """Make every execution of the variant take one unit of its device's resource, with the priority of its tier."""
    if variant.tier is None:
        return
    for group in config.instance_group:
        # One budget for all CPU cores of the server, but one for each GPU.
        resource = group.rate_limiter.resources.add(name=variant.device, count=1)
        setattr(resource, "global", variant.device == "cpu")
        group.rate_limiter.priority = PRIORITIES[variant.tier]
    config.parameters[PARAMETER].string_value = str(variant.tier)


def queue_of(variant: Variant) -> Queue | None:
    """The plan's own queue policy; without one, tier 2 refuses what would wait too long or behind too many."""
    if variant.queue is None and variant.tier == 2:
        waiting = QUEUE_BATCHES * variant.max_batch_size * variant.instances
        return Queue(max_size=waiting, timeout_us=QUEUE_TIMEOUT_US, on_timeout="reject")
    return variant.queue


def priority_of(variant: Variant, backend: str) -> str:
    """The plan's own optimization priority; without one the tier's where it is heeded: by TensorRT's CUDA streams."""
    if variant.priority == "default" and variant.tier is not None and backend == "tensorrt":
        return {1: "max", 2: "min"}[variant.tier]
    return variant.priority
