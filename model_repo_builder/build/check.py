"""What can be wrong with a plan, found before any work."""

from model_repo_builder import agreement
from model_repo_builder.build import samples
from model_repo_builder.errors import InvalidError
from model_repo_builder.examples.kinds import is_file, kind_of
from model_repo_builder.plan.schema import SYNTHETIC, Plan, Variant
from model_repo_builder.repository import encoded_images, fingerprint
from model_repo_builder.signature import FLOATS, OPEN, PIXELS, STRING, Signature
from model_repo_builder.sources import savedmodel, specification


def check(plan: Plan) -> None:
    """Everything about a plan that can be checked without TensorFlow, beyond its own syntax."""
    specification.check(plan.model)
    kind = plan.kind
    if plan.calibration_source is not None:
        kind.check(fingerprint.calibration_source(plan), plan.field_of("calibration"))
    if plan.agreement_source not in (plan.calibration_source, SYNTHETIC):
        kind.check(fingerprint.agreement_source(plan), plan.field_of("agreement"))
    known = specification.signature(plan.model) if plan.model.origin == "savedmodel" else None
    if known is not None:
        _check_savedmodel(plan, samples.with_kind(plan, known))


def _check_savedmodel(plan: Plan, signature: Signature) -> None:
    """What the signature of a SavedModel says about the plan, before any work."""
    names = [tensor.name for tensor in signature.outputs]
    for name, method in plan.agreement.outputs.items():
        if name not in names:
            raise InvalidError(f"agreement.outputs.{name}", "no output of the SavedModel", ", ".join(names))
        _check_method(name, method, signature)
    kind = kind_of(signature)
    origin = fingerprint.agreement_source(plan)
    samples.require_values(plan, signature, origin, kind)
    _check_examples(plan, signature)
    if any(variant.needs_calibration for variant in plan.chosen):
        samples.require_range(plan, signature)
    used = set(agreement.methods(signature, plan.agreement.outputs).values())
    for variant in plan.chosen:
        check_form(plan, variant, signature.in_form(plan.form(variant)))
        if variant.agreement.min_top1 is not None and "top1" not in used:
            allowed = "min_same, max_abs_diff or max_mean_abs_diff, as no output is compared by top1"
            raise InvalidError(f"variants.{variant.name}.agreement.min_top1", variant.agreement.min_top1, allowed)
        if variant.agreement.min_same is not None and not used & {"equal", "boxes"}:
            allowed = "min_top1, max_abs_diff or max_mean_abs_diff, as no output is compared by equal or boxes"
            raise InvalidError(f"variants.{variant.name}.agreement.min_same", variant.agreement.min_same, allowed)


def _check_method(name: str, method: str, signature: Signature) -> None:
    """InvalidError for a comparison that the output has nothing for: one number is always the largest of its own."""
    tensor = next(one for one in signature.outputs if one.name == name)
    sizes = tensor.shape[-1:]
    fits = {
        "top1": sizes not in ((), (1,)) and tensor.dtype not in (STRING, "bool"),
        "difference": tensor.dtype != STRING,
        "boxes": tensor.dtype != STRING and (sizes in ((4,), (OPEN,)) or sizes == savedmodel.UNKNOWN_SHAPE),
        "equal": True,
    }
    if not fits[method]:
        others = ", ".join(one for one, does in fits.items() if does)
        raise InvalidError(f"agreement.outputs.{name}", method, f"{others}, as the output is {tensor.named_shape()}")


def _check_examples(plan: Plan, signature: Signature) -> None:
    """InvalidError for examples that are none of the model's, alone or in a batch: running it shows which it is."""
    try:
        # Of a file every example that will be used: a build must not end with the last of them.
        samples.evaluation_set(plan, signature, None if is_file(fingerprint.agreement_source(plan)) else 1)
        if any(variant.needs_calibration for variant in plan.chosen) and is_file(fingerprint.calibration_source(plan)):
            samples.calibration(plan, signature)
    except InvalidError:
        if not signature.batched or plan.model.batching or len(signature.inputs) == 1:
            raise
        samples.evaluation_set(plan, signature.unbatched(), 1)


def check_form(plan: Plan, variant: Variant, signature: Signature) -> None:
    """InvalidError for bytes in place of numbers that are no pixels, and for files where the model takes no image."""
    encoded_images.check(variant, signature)
    if (variant.input_dtype is None and plan.model.input.dtype is None) or plan.model.origin != "savedmodel":
        return
    field = f"variants.{variant.name}.input_dtype" if variant.input_dtype else "model.input.dtype"
    if len(signature.inputs) > 1:
        names = ", ".join(tensor.name for tensor in signature.inputs)
        raise InvalidError(field, plan.form(variant).dtype, f"nothing, as the model has the inputs {names}")
    tensor = signature.inputs[0]
    own = specification.savedmodel_signature(plan.model).image.dtype
    if own == STRING:
        raise InvalidError(field, plan.form(variant).dtype, f"nothing, as {tensor.name} is a string")
    if tensor.dtype == "uint8" and own in FLOATS and not tensor.has_shape_of_image:
        raise InvalidError(field, "uint8", f"float32, as {tensor.name} is no image, but {own} {list(tensor.shape)}")
    has_pixels = tensor.range in (None, PIXELS) or plan.model.takes_pixels
    if tensor.dtype == "uint8" and tensor.range is not None and not has_pixels:
        allowed = f"float32, as clients send {tensor.range[0]:g} to {tensor.range[1]:g}"
        raise InvalidError(field, "uint8", allowed)
