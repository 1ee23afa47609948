"""A configuration in Triton's own terms: read from a model's configuration, and written into a complete one."""

from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ModelError

from ..capacity.configuration import Configuration


def check_tunable(config: ModelConfig) -> None:
    """ModelError unless the model's requests can be joined into batches."""
    if config.HasField("ensemble_scheduling"):
        parts = ", ".join(dict.fromkeys(step.model_name for step in config.ensemble_scheduling.step))
        raise ModelError(f"model {config.name!r} is an ensemble: tune the models that it is made of ({parts})")
    if config.HasField("sequence_batching"):
        raise ModelError(f"model {config.name!r} serves sequences, whose batches are not the dynamic batcher's")
    if config.max_batch_size < 1:
        raise ModelError(f"model {config.name!r} takes no batches: its max_batch_size must be 1 or more")


def read_configuration(config: ModelConfig) -> Configuration:
    """What a model is served with now. Without a dynamic batcher requests of one item are never joined: batch 1."""
    batcher = config.dynamic_batching
    return Configuration(
        batch=config.max_batch_size if config.HasField("dynamic_batching") else 1,
        instances=max((group.count for group in config.instance_group), default=1),
        delay_us=batcher.max_queue_delay_microseconds,
        preferred=tuple(batcher.preferred_batch_size),
    ).normal()


def with_configuration(config: ModelConfig, configuration: Configuration) -> ModelConfig:
    """A complete copy of `config` that serves with `configuration`.

    Warm-up batches are cut to the new largest one: Triton 2.51 ends with a segmentation fault on a larger one.
    """
    changed = ModelConfig()
    changed.CopyFrom(config)
    changed.max_batch_size = configuration.batch
    for group in changed.instance_group:
        group.count = configuration.instances
    if not changed.instance_group:
        changed.instance_group.add(count=configuration.instances)
    batcher = changed.dynamic_batching
    batcher.SetInParent()
    batcher.max_queue_delay_microseconds = configuration.delay_us
    del batcher.preferred_batch_size[:]
    batcher.preferred_batch_size.extend(configuration.preferred)
    _cut_warm_up(changed, configuration.batch)
    return changed


def _cut_warm_up(config: ModelConfig, largest: int) -> None:
    """Warm-up batches above `largest` are left out; the first of them is cut where none of that size is there."""
    fitting = [sample for sample in config.model_warmup if sample.batch_size <= largest]
    above = [sample for sample in config.model_warmup if sample.batch_size > largest]
    if all(sample.batch_size < largest for sample in fitting):
        for sample in above[:1]:
            sample.batch_size = largest
            fitting.append(sample)
    del config.model_warmup[:]
    config.model_warmup.extend(fitting)


def as_dict(config: ModelConfig) -> dict[str, object]:
    """The configuration as results.json keeps it."""
    return dict(MessageToDict(config, preserving_proto_field_name=True))
