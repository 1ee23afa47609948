"""config.pbtxt of one variant, as a protobuf message and as its deterministic text."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import encoded_images
from model_repo_builder.repository.tiers import priority_of, queue_of, set_tier
from model_repo_builder.signature import FLOATS, STRING, Signature
from triton_contract import encoded_image
from triton_contract.input_values import Values, declare

TYPES = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
    STRING: "TYPE_STRING",
}
LABELS_FILE = "labels.txt"
# The runtime of NVIDIA's image, whose backends load an artefact themselves.
NATIVE = "ngc"
# Types that any number is right for; integers are often places in a table.
RANDOM = ("uint8", *FLOATS)
HEADER = "# Written by model-repo-builder: change the plan and build again.\n"


def render(variant: Variant, signature: Signature, runtime: str, *, labels: bool = False) -> str:
    """The text of config.pbtxt; the same arguments give the same bytes."""
    return HEADER + text_format.MessageToString(model_config(variant, signature, runtime, labels=labels))


def model_config(variant: Variant, signature: Signature, runtime: str, *, labels: bool = False) -> Any:
    """Triton's ModelConfig for a variant whose artefact takes and gives `signature`; under ngc or python."""
    images = encoded_images.described(variant, signature)
    signature = encoded_images.requests(variant, signature)
    largest = variant.max_batch_size if signature.batched else 0
    config = pb.ModelConfig(name=variant.name, max_batch_size=largest)
    field, value = variant.resolved_engine.runtimes[runtime]
    setattr(config, field, value)
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
    for key, text in parameters.items():
        config.parameters[key].string_value = text
    declare_values(config, signature)
    encoded_image.declare(config, images)
    if variant.warms_up and signature.warm_up:
        for batch in _warm_up_sizes(variant) if signature.batched else [1]:
            config.model_warmup.append(_warm_up(batch, signature))
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


def _warm_up_sizes(variant: Variant) -> list[int]:
    """One image and the largest batch that the server prefers to form; on a GPU the powers of two as well; or all.

    A GPU's first run of another batch size allocates memory and sets up its engines; on a CPU only time would be lost.
    """
    if variant.warms_up == "all":
        return list(range(1, variant.max_batch_size + 1))
    sizes = {1, max(variant.preferred_batch_sizes, default=1)}
    if variant.device == "gpu":
        sizes |= {2**power for power in range(variant.max_batch_size.bit_length())} | {variant.max_batch_size}
    return sorted(sizes)


def _warm_up(batch: int, signature: Signature) -> Any:
    """A run of so many examples; Triton passes over a sample of batch 0, so a model without a batch has one of 1."""
    name = f"batch_{batch}" if signature.batched else "alone"
    sample = pb.ModelWarmup(name=name, batch_size=batch, count=1)
    for tensor in signature.inputs:
        data = sample.inputs[tensor.name]
        data.data_type = TYPES[tensor.dtype]
        data.dims.extend(tensor.example_shape or (1,))
        # Triton's random numbers are of any size: as the number of a token most would be beyond the vocabulary.
        if tensor.dtype in RANDOM and tensor.values is None:
            data.random_data = True
        else:
            data.zero_data = True
    return sample
