"""The samples of one build: examples of the inputs for calibration and agreement, from where the plan says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import photographs
from model_repo_builder.examples.kinds import ARRAYS, IMAGES, Examples, Kind, kind_of
from model_repo_builder.examples.synthetic import is_synthetic
from model_repo_builder.plan.schema import Plan
from model_repo_builder.repository import fingerprint
from model_repo_builder.signature import FLOATS, OPEN, Signature
from model_repo_builder.sources import savedmodel as savedmodel_source

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_kind(plan: Plan, signature: Signature) -> Signature:
    """The signature with the kind of its examples: what the plan names, or images where a SavedModel takes RGB."""
    if plan.model.origin != "savedmodel":
        return replace(signature, sample_kind=ARRAYS.sample_kind) if plan.kind is ARRAYS else signature
    alone = signature.image
    is_image = len(signature.inputs) == 1 and alone.has_shape_of_image and alone.may_be_pixels
    is_rgb = is_image and alone.shape[-1] == 3 and signature.batched
    kind = plan.kind if plan.names_examples else IMAGES if is_rgb else ARRAYS
    return replace(signature, sample_kind=kind.sample_kind)


def calibration(plan: Plan, signature: Signature) -> Examples:
    """Examples that set ranges; InvalidError where nobody knows the range of what clients send."""
    require_range(plan, signature)
    found = _load(plan, "calibration", fingerprint.calibration_source(plan), signature, plan.calibration.count)
    _require_finite(plan, found)
    return found


def _require_finite(plan: Plan, found: Examples) -> None:
    """InvalidError for infinity, or no number: ranges that are taken from them hold nothing else."""
    for name, array in found.items():
        # Examples of different shapes are objects, each an array; so are texts, which have no kind "f".
        for part in array if array.dtype.hasobject else [array]:
            if isinstance(part, np.ndarray) and part.dtype.kind == "f" and not np.isfinite(part).all():
                odd = part[~np.isfinite(part)][0]
                value = f"{plan.calibration_source}: {name} holds {odd:g}"
                raise InvalidError(
                    plan.field_of("calibration"), value, "finite numbers, as INT8 takes its ranges from them"
                )


def evaluation_set(plan: Plan, signature: Signature, count: int | None = None) -> Examples:
    """Examples of the agreement check; not those of the calibration where the set has others."""
    require_values(plan, signature, fingerprint.agreement_source(plan), kind_of(signature))
    return _load(plan, "agreement", fingerprint.agreement_source(plan), signature, count or plan.agreement.count)


def _load(plan: Plan, section: str, origin: str, signature: Signature, count: int) -> Examples:
    """So many examples of a section, from where the calibration's end."""
    has_others = plan.agreement_source in (plan.calibration_source, photographs.NAME)
    skip = plan.calibration.count if section == "agreement" and has_others else 0
    kind, field = kind_of(signature), plan.field_of(section)
    if not (kind is ARRAYS and plan.model.takes_tokens and not is_synthetic(origin)):
        return kind.load(origin, field, count, signature, skip)
    # Requests of other lengths than the variant's are what its clients make of them: padded, or cut.
    length = signature.inputs[0].shape[0]
    opened = replace(signature, inputs=tuple(replace(tensor, shape=(OPEN,)) for tensor in signature.inputs))
    found = kind.load(origin, field, count, opened, skip)
    return {name: np.stack([_of_length(row, length) for row in array]) for name, array in found.items()}


def _of_length(row: NDArray[Any], length: int) -> NDArray[Any]:
    """The tokens of one example, cut or followed by zeros: padding, which the mask says with zeros too."""
    return np.pad(row[:length], (0, max(length - len(row), 0)))


def require_range(plan: Plan, signature: Signature) -> None:
    """Static INT8 keeps the numbers of its calibration and cuts off all others: these must be what clients send.

    Pixels that the served graph scales itself are known to be 0 to 255, and so are bytes; arrays are taken as they are.
    """
    kind = kind_of(signature)
    if plan.model.origin != "savedmodel" or plan.model.takes_pixels or (kind is IMAGES and not _is_float(signature)):
        return
    if kind is ARRAYS and not plan.has_real_calibration:
        allowed = "a file with real examples, or quantisation: dynamic: generated numbers set no range"
        raise InvalidError(plan.field_of("calibration"), plan.calibration_source, allowed)
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
            allowed = "texts to try the model with (a list, or {b64: ...}), or examples: FILE"
            raise InvalidError(f"model.inputs.{tensor.name}.values", "missing", allowed)


def _is_float(signature: Signature) -> bool:
    return signature.image.dtype in FLOATS
