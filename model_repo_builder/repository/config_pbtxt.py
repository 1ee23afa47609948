"""config.pbtxt of one variant, as a protobuf message and as its deterministic text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from example_files.wanted import Row
from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import encoded_images, warm_up
from model_repo_builder.repository.tiers import priority_of, queue_of, set_tier
from model_repo_builder.repository.warm_up import TYPES
from model_repo_builder.signature import Signature
from triton_contract import encoded_image
from triton_contract.input_values import Values, declare

LABELS_FILE = "labels.txt"
# The runtime of NVIDIA's image, whose backends load an artefact themselves.
NATIVE = "ngc"
HEADER = "# Written by model-repo-builder: change the plan and build again.\n"


def render(
    variant: Variant, signature: Signature, runtime: str, *, labels: bool = False, rows: Sequence[Row] = ()
) -> str:
    """The text of config.pbtxt; the same arguments give the same bytes."""
    return text(model_config(variant, signature, runtime, labels=labels, rows=rows))


def text(config: Any) -> str:
    """A ModelConfig as the text of its file."""
    return HEADER + text_format.MessageToString(config)


def model_config(
    variant: Variant, signature: Signature, runtime: str, *, labels: bool = False, rows: Sequence[Row] = ()
) -> Any:
    """Triton's ModelConfig for a variant whose artefact takes and gives `signature`; under ngc or python.

    `rows` are examples for its warm-up, which `warm_up.write` puts beside it.
    """
    images = encoded_images.described(variant, signature)
    signature = encoded_images.requests(variant, signature)
    largest = variant.max_batch_size if signature.batched else 0
    config = pb.ModelConfig(name=variant.name, max_batch_size=largest)
    field, backend = variant.resolved_engine.runtimes[runtime]
    setattr(config, field, backend)
    add_tensors(config, signature)
    for output in config.output if labels else ():
        output.label_filename = LABELS_FILE
    config.version_policy.latest.num_versions = 1
    kind = pb.ModelInstanceGroup.KIND_GPU if variant.device == "gpu" else pb.ModelInstanceGroup.KIND_CPU
    config.instance_group.add(count=variant.instances, kind=kind)
    set_tier(config, variant)
    if signature.batched:
        _batching(config, variant)
    _priority(config, variant)
    parameters = variant.parameters
    if runtime == NATIVE:
        parameters = {**parameters, **variant.resolved_engine.native_parameters}
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    declare_values(config, signature)
    encoded_image.declare(config, images)
    if variant.warms_up and not (runtime == NATIVE and _has_numbers_alone(signature)):
        warm_up.add(config, variant, signature, rows)
    return config


def add_tensors(config: Any, signature: Signature) -> None:
    """Add inputs and outputs; Triton wants a dimension of each, so a number alone has one and is reshaped."""
    for field, tensors in ((config.input, signature.inputs), (config.output, signature.outputs)):
        for tensor in tensors:
            added = field.add(name=tensor.name, data_type=TYPES[tensor.dtype], dims=tensor.shape or (1,))
            if not tensor.shape:
                added.reshape.SetInParent()


def declare_values(config: Any, signature: Signature) -> None:
    """Say in the configuration which values its inputs may hold, where their types don't: slo-tuner sends such."""
    declare(config, {tensor.name: Values(*tensor.values) for tensor in signature.inputs if tensor.values is not None})


def _has_numbers_alone(signature: Signature) -> bool:
    """Whether an input is reshaped: Triton gives a warm-up to the backend as it is, in a shape the graph refuses.

    model.py of the python runtime takes the dimension away itself.
    """
    return any(not tensor.shape for tensor in signature.inputs)


def _batching(config: Any, variant: Variant) -> None:
    batching = config.dynamic_batching
    batching.SetInParent()
    batching.preferred_batch_size.extend(sorted(set(variant.preferred_batch_sizes)))
    batching.max_queue_delay_microseconds = variant.max_queue_delay_us
    queue = queue_of(variant)
    if queue is not None:
        policy = batching.default_queue_policy
        actions = {"reject": pb.ModelQueuePolicy.REJECT, "delay": pb.ModelQueuePolicy.DELAY}
        policy.timeout_action = actions[queue.on_timeout]
        policy.default_timeout_microseconds = queue.timeout_us
        policy.max_queue_size = queue.max_size


def _priority(config: Any, variant: Variant) -> None:
    levels = {"max": pb.ModelOptimizationPolicy.PRIORITY_MAX, "min": pb.ModelOptimizationPolicy.PRIORITY_MIN}
    priority = priority_of(variant, config.backend)
    if priority in levels:
        config.optimization.priority = levels[priority]
