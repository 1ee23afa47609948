"""The samples of one build: examples of the inputs for calibration and agreement, from where the plan says."""

from __future__ import annotations

from dataclasses import replace

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import photographs
from model_repo_builder.examples.kinds import ARRAYS, IMAGES, Examples, Kind, kind_of
from model_repo_builder.plan.schema import Plan
from model_repo_builder.repository import fingerprint
from model_repo_builder.signature import FLOATS, Signature
from model_repo_builder.sources import savedmodel as savedmodel_source


def with_kind(plan: Plan, signature: Signature) -> Signature:
    """The signature with the kind of its examples: what the plan names, or images where a SavedModel takes RGB."""
    if plan.model.origin != "savedmodel":
        return signature
    alone = signature.image
    is_rgb = len(signature.inputs) == 1 and alone.has_shape_of_image and alone.shape[-1] == 3 and signature.batched
    kind = plan.kind if plan.names_examples else IMAGES if is_rgb else ARRAYS
    return replace(signature, sample_kind=kind.sample_kind)


def calibration(plan: Plan, signature: Signature) -> Examples:
    """Examples that set ranges; InvalidError where nobody knows the range of what clients send."""
    require_range(plan, signature)
    kind = kind_of(signature)
    field = f"calibration.{kind.sample_kind}"
    return kind.load(str(plan.calibration.source), field, plan.calibration.count, signature, 0)


def evaluation_set(plan: Plan, signature: Signature, count: int | None = None) -> Examples:
    """Examples of the agreement check; not those of the calibration where the set has others."""
    origin = fingerprint.agreement_source(plan)
    has_others = origin in (plan.calibration.source, photographs.NAME)
    skip = plan.calibration.count if has_others else 0
    kind = kind_of(signature)
    require_values(plan, signature, origin, kind)
    return kind.load(origin, f"agreement.{kind.sample_kind}", count or plan.agreement.count, signature, skip)


def require_range(plan: Plan, signature: Signature) -> None:
    """Static INT8 keeps the numbers of its calibration and cuts off all others: these must be what clients send.

    Pixels that the served graph scales itself are known to be 0 to 255, and so are bytes; arrays are taken as they are.
    """
    kind = kind_of(signature)
    if plan.model.origin != "savedmodel" or plan.model.takes_pixels or (kind is IMAGES and not _is_float(signature)):
        return
    if kind is ARRAYS and str(plan.calibration.source).startswith("synthetic:"):
        allowed = "an .npz file with real inputs, or quantisation: dynamic: generated numbers set no range"
        raise InvalidError("calibration.arrays", plan.calibration.source, allowed)
    if kind is IMAGES and signature.image.range is None:
        allowed = "[0, 255], [0, 1], [-1, 1] or another range: what clients send, as INT8 cuts off all beyond it"
        raise InvalidError("model.input.range", "missing", allowed)


def require_values(plan: Plan, signature: Signature, origin: str, kind: Kind) -> None:
    """InvalidError for texts that nobody gives: none can be made up that a model understands."""
    if plan.model.origin != "savedmodel" or kind is not ARRAYS or not origin.startswith("synthetic:"):
        return
    found = savedmodel_source.signatures(plan.model)
    for tensor in signature.inputs:
        if savedmodel_source.needs_values(tensor, found):
            allowed = "texts to try the model with (a list, or {b64: ...}), or agreement.arrays: FILE.npz"
            raise InvalidError(f"model.inputs.{tensor.name}.values", "missing", allowed)


def _is_float(signature: Signature) -> bool:
    return signature.image.dtype in FLOATS
