"""What can be wrong with a plan, found before any work."""

from model_repo_builder import agreement
from model_repo_builder.build import samples
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples.arrays import PIXELS
from model_repo_builder.examples.kinds import kind_of
from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.repository import encoded_images, fingerprint
from model_repo_builder.signature import Signature
from model_repo_builder.sources import specification


def check(plan: Plan) -> None:
    """Everything about a plan that can be checked without TensorFlow, beyond its own syntax."""
    specification.check(plan.model)
    kind = plan.kind
    for section, origin in (("calibration", plan.calibration.source), ("agreement", plan.agreement.source)):
        if origin is not None:
            kind.check(origin, f"{section}.{kind.sample_kind}")
    known = specification.signature(plan.model) if plan.model.origin == "savedmodel" else None
    if known is not None:
        _check_savedmodel(plan, samples.with_kind(plan, known))


def _check_savedmodel(plan: Plan, signature: Signature) -> None:
    """What the signature of a SavedModel says about the plan, before any work."""
    names = [tensor.name for tensor in signature.outputs]
    for name in plan.agreement.outputs:
        if name not in names:
            raise InvalidError(f"agreement.outputs.{name}", "no output of the SavedModel", ", ".join(names))
    kind = kind_of(signature)
    origin = fingerprint.agreement_source(plan)
    samples.require_values(plan, signature, origin, kind)
    _check_examples(plan, signature, origin)
    if any(variant.needs_calibration for variant in plan.chosen):
        samples.require_range(plan, signature)
    by_top1 = "top1" in agreement.methods(signature, plan.agreement.outputs).values()
    for variant in plan.chosen:
        check_form(plan, variant, signature.in_form(plan.form(variant)))
        if variant.agreement.min_top1 is not None and not by_top1:
            allowed = "min_same, max_abs_diff or max_mean_abs_diff, as no output is compared by top1"
            raise InvalidError(f"variants.{variant.name}.agreement.min_top1", variant.agreement.min_top1, allowed)


def _check_examples(plan: Plan, signature: Signature, origin: str) -> None:
    """InvalidError for examples that are none of the model's, alone or in a batch: running it shows which it is."""
    kind = kind_of(signature)
    field = f"agreement.{kind.sample_kind}"
    try:
        kind.load(origin, field, 1, signature, 0)
    except InvalidError:
        if not signature.batched or plan.model.batching or len(signature.inputs) == 1:
            raise
        kind.load(origin, field, 1, signature.unbatched(), 0)


def check_form(plan: Plan, variant: Variant, signature: Signature) -> None:
    """InvalidError for bytes in place of numbers that are no pixels, and for files where the model takes no image."""
    encoded_images.check(variant, signature)
    if (variant.input_dtype is None and plan.model.input.dtype is None) or plan.model.origin != "savedmodel":
        return
    field = f"variants.{variant.name}.input_dtype"
    if len(signature.inputs) > 1:
        names = ", ".join(tensor.name for tensor in signature.inputs)
        raise InvalidError(field, plan.form(variant).dtype, f"nothing, as the model has the inputs {names}")
    tensor = signature.inputs[0]
    has_pixels = tensor.range in (None, PIXELS) or plan.model.takes_pixels
    if tensor.dtype == "uint8" and tensor.range is not None and not has_pixels:
        allowed = f"float32, as clients send {tensor.range[0]:g} to {tensor.range[1]:g}"
        raise InvalidError(field, "uint8", allowed)
