"""How each output is compared: by its dtype and shape, or as the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from model_repo_builder.signature import FLOATS, Signature, Tensor

Method = Literal["top1", "difference", "equal", "boxes"]


def methods(signature: Signature, chosen: Mapping[str, Method]) -> dict[str, Method]:
    """How each output is compared: as the plan says, or by its dtype and shape."""
    return {tensor.name: chosen.get(tensor.name, _method(tensor, signature)) for tensor in signature.outputs}


def _method(tensor: Tensor, signature: Signature) -> Method:
    """Texts and integers by equality, vectors of several numbers by the place of the largest, all else by difference.

    [n, 4] beside as many scores is a list of boxes: its order is no part of the answer.
    """
    shape = tensor.shape if signature.batched else tensor.shape[1:]
    if tensor.dtype not in FLOATS:
        return "equal"
    if len(shape) == 2 and shape[1] == 4 and scores_of(tensor.name, signature):
        return "boxes"
    if len(shape) == 1 and shape[0] > 1 and not _belongs_to_boxes(tensor, signature):
        return "top1"
    return "difference"


def scores_of(boxes: str, signature: Signature) -> str | None:
    """The output with a score for each of the boxes."""
    shape = next(tensor.shape for tensor in signature.outputs if tensor.name == boxes)[:-1]
    alike = [tensor.name for tensor in signature.outputs if tensor.shape == shape and "score" in tensor.name.lower()]
    return alike[0] if alike else None


def _belongs_to_boxes(tensor: Tensor, signature: Signature) -> bool:
    boxes = [one for one in signature.outputs if one.shape == (*tensor.shape, 4)]
    return any(scores_of(one.name, signature) for one in boxes)
