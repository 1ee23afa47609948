"""Sizes of outputs as Triton's own OpenVINO backend compares them with config.pbtxt when it loads a graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from model_repo_builder.signature import OPEN, Signature, Tensor


def known_sizes(graph: Path, signature: Signature) -> Signature:
    """The signature with those sizes of outputs that the graph knows and the source leaves open.

    The backend takes no -1 for them (openvino_utils.cc, `CompareDimsSupported`). It looks at the graph for one batch
    size, which fixes more of them (openvino.cc, `ov::set_batch`); where that fails, the source's sizes stay.
    """
    import openvino as ov

    model = ov.Core().read_model(graph)
    if signature.batched:
        try:
            for parameter in model.get_parameters():
                parameter.set_layout(ov.Layout("N..."))
            ov.set_batch(model, 1)
        except RuntimeError:
            return signature
    shapes = {name: output.partial_shape for output in model.outputs for name in output.get_names()}
    first = 1 if signature.batched else 0
    return replace(signature, outputs=tuple(_known(tensor, shapes[tensor.name], first) for tensor in signature.outputs))


def _known(tensor: Tensor, shape: Any, first: int) -> Tensor:
    """The output with the sizes of OpenVINO's shape, whose leading `first` dimensions are a batch."""
    if shape.rank.is_dynamic or len(shape) != len(tensor.shape) + first:
        return tensor
    sizes = zip(tensor.shape, list(shape)[first:], strict=True)
    known = (there.get_length() if size == OPEN and there.is_static else size for size, there in sizes)
    return replace(tensor, shape=tuple(known))
