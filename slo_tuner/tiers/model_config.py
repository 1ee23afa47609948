"""What a model's configuration says of its tier, and the same configuration without any of it."""

from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import UsageError
from triton_contract.tier import PARAMETER


def check_tier(config: ModelConfig, tier: int) -> None:
    """UsageError unless model-repo-builder built the model with this tier."""
    built = config.parameters[PARAMETER].string_value if PARAMETER in config.parameters else "none"
    if built != str(tier):
        field = f"tier {tier}"
        raise UsageError(field, config.name, f"it was built with tier {built}: give its variant `tier: {tier}`")


def without_tier(config: ModelConfig) -> ModelConfig:
    """A complete copy that the rate limiter never holds back, and whose queue refuses nothing."""
    plain = ModelConfig()
    plain.CopyFrom(config)
    for group in plain.instance_group:
        group.ClearField("rate_limiter")
    if plain.HasField("dynamic_batching"):
        plain.dynamic_batching.ClearField("default_queue_policy")
    plain.parameters.pop(PARAMETER, None)
    return plain
