"""The stable name of a variant: an ensemble of one step, called like the plan's model, in the variant's own directory.

Its folder is a model repository by itself. A server that reads it beside the whole repository answers to the model's
name with that variant, so clients need not know which variant is chosen. The ensemble copies no artefact and batches
nothing itself: requests meet the variant's own queue, batcher and instances.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.repository import config_pbtxt, encoded_images
from model_repo_builder.signature import Signature
from triton_contract import encoded_image

# Below the version, where Triton looks for nothing; charts/triton knows this path (triton.aliasRepository).
FOLDER = "alias"
# Triton wants a version's directory, and buckets keep no empty one.
PLACEHOLDER = "1/README"


def render(plan: Plan, variant: Variant, signature: Signature) -> str:
    """The text of the ensemble's config.pbtxt; empty where there can be none.

    That is where a variant of the plan has the model's name itself, and where an input and an output share one.
    """
    if plan.model.name in {other.name for other in plan.variants} or shared_name(signature):
        return ""
    return config_pbtxt.HEADER + text_format.MessageToString(_ensemble(plan.model.name, variant, signature))


def shared_name(signature: Signature) -> str:
    """A name that an input and an output have; empty where there is none.

    An ensemble has one tensor of a name: its clients would get back what they sent, in place of the model's answer.
    """
    taken = {tensor.name for tensor in signature.inputs}
    return next((tensor.name for tensor in signature.outputs if tensor.name in taken), "")


def write(version_folder: Path, name: str, text: str) -> None:
    """Put the repository with the one model `name` into the version folder of its variant."""
    model = version_folder / FOLDER / name
    (model / PLACEHOLDER).parent.mkdir(parents=True)
    (model / "config.pbtxt").write_text(text, encoding="utf-8")
    (model / PLACEHOLDER).write_text("An ensemble has no files of its own.\n", encoding="utf-8")


def _ensemble(name: str, variant: Variant, signature: Signature) -> Any:
    """The ensemble takes and gives what the variant does, up to the same batch size."""
    images = encoded_images.described(variant, signature)
    signature = encoded_images.requests(variant, signature)
    largest = variant.max_batch_size if signature.batched else 0
    ensemble = pb.ModelConfig(name=name, platform="ensemble", max_batch_size=largest)
    step = ensemble.ensemble_scheduling.step.add(model_name=variant.name, model_version=-1)
    config_pbtxt.add_tensors(ensemble, signature)
    for tensor in (*ensemble.input, *ensemble.output):
        # The variant itself reshapes.
        tensor.ClearField("reshape")
    for tensor in signature.inputs:
        step.input_map[tensor.name] = tensor.name
    for tensor in signature.outputs:
        step.output_map[tensor.name] = tensor.name
    config_pbtxt.declare_values(ensemble, signature)
    encoded_image.declare(ensemble, images)
    return ensemble
