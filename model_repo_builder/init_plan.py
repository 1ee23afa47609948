"""`model-repo-builder init SAVEDMODEL`: the plan that a user would write for a SavedModel, with what to check in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from model_repo_builder import bucket
from model_repo_builder.agreement import methods
from model_repo_builder.plan.file import absolute
from model_repo_builder.plan.model import Model, TensorInput
from model_repo_builder.plan.schema import WARM_UP_REQUESTS
from model_repo_builder.signature import FLOATS, OPEN, STRING, Signature, Tensor
from model_repo_builder.sources import saved_model_pb, savedmodel
from model_repo_builder.sources.saved_model_pb import Signatures
from model_repo_builder.sources.specification import WARM_UP_FILE

# So large that batching pays, so small that a batch of long sequences fits into memory.
BATCH = 16
# Stands for dimensions of an example that the SavedModel leaves open altogether.
UNKNOWN_RANK = (1,)
# Of a model's name; the plan's own rule allows a few more.
MOST_CHARACTERS = 100


def write(source: str, signature: str | None = None) -> str:
    """The text of a plan; InvalidError for a source that is no SavedModel, or can't be served."""
    known = source if bucket.is_url(source) else absolute(Path(source))
    name = _name(known)
    chosen = {"signature": signature} if signature else {}
    model = Model.model_validate({"name": name, "source": known, **chosen})
    found = savedmodel.signatures(model)
    served = savedmodel.signature_name(model)
    inputs = {one.name: TensorInput(shape=UNKNOWN_RANK) for one in found.by_name[served][0] if one.shape is None}
    described = savedmodel.signature(model.model_copy(update={"inputs": inputs}))
    return "\n".join(_lines(model, found, served, described)) + "\n"


def _name(source: str) -> str:
    """A name for the model from that of its folder, of the characters and the length that a name may have."""
    parts = [re.sub(r"[^A-Za-z0-9_.-]+", "-", part) for part in source.split("/") if part != saved_model_pb.FILE]
    named = [part.strip("._-") for part in parts if not part.isdecimal()]
    return next(filter(None, reversed(named)), "model")[:MOST_CHARACTERS]


def _lines(model: Model, found: Signatures, served: str, described: Signature) -> Iterator[str]:
    yield f"# A plan for {_shown(model.source)}, written by `model-repo-builder init` from its signature."
    yield "# Lines with CHECK are guesses. docs/reference/plans.md explains every key."
    for what, tensors in (("takes", described.inputs), ("gives", described.outputs)):
        for tensor in tensors:
            yield f"# It {what} {_shown(tensor.name)}: {tensor.dtype} {_shape(tensor, described)}"
    yield "model:"
    yield f"  name: {_quoted(model.name)}"
    yield f"  source: {_quoted(model.source)}"
    if served != savedmodel.DEFAULT_SIGNATURE or len(found.by_name) > 1:
        yield f"  signature: {_quoted(served)}{_others(found, served)}"
    if described.batched:
        yield "  # batching: false  # where rows of a batch are no requests of their own, such as frames of a clip"
    else:
        yield "  # No batching: the first dimension of some tensor is fixed, so each request is run alone."
    yield "  inputs:"
    for tensor in described.inputs:
        yield from _input(tensor, found)
    yield from _examples(model)
    yield "agreement:"
    yield "  count: 16"
    yield "  outputs:"
    for name, method in methods(described, {}).items():
        yield f"    {_quoted(name)}: {method}  # or top1, difference, equal, boxes"
    yield "runtime: python  # ngc for NVIDIA's image with its own backends"
    yield f"defaults: {{max_batch_size: {BATCH}}}" if described.batched else "defaults: {}"
    yield "variants:"
    yield "  - {name: original, engine: tensorflow}"
    reason = _no_onnx(found)
    if reason:
        yield f"  # {reason}: only the engine tensorflow can run it"
        return
    yield "  - {name: onnx_fp32, engine: onnxruntime}"
    yield "  # Half the time on CPUs with AVX-512 BF16 or AMX, without a calibration:"
    yield "  # - {name: openvino_bf16, engine: openvino, precision: bf16}"
    yield "  # INT8: its ranges are taken from real examples where there are some, else found for each request:"
    yield "  # - {name: onnx_int8, engine: onnxruntime, precision: int8}"


def _examples(model: Model) -> Iterator[str]:
    """Where examples come from: the SavedModel's own requests where it has some."""
    yield "# Requests of your own: for agreement with the source, the ranges of INT8, and the load. A file (.npz,"
    yield "# JSONL of TensorFlow Serving instances, TFRecord of tf.Example, perf_analyzer's JSON), or a directory of"
    yield "# images. Without it examples are generated; real ones show more."
    if (savedmodel.folder(model) / WARM_UP_FILE).is_file():
        yield f"examples: {WARM_UP_REQUESTS}  # of {WARM_UP_FILE}"
    else:
        yield "# examples: requests.jsonl"


def _input(tensor: Tensor, found: Signatures) -> Iterator[str]:
    yield f"    {_quoted(tensor.name)}:"
    if OPEN in tensor.shape:
        yield f"      shape: {list(tensor.example_shape)}  # CHECK: of an example; each request chooses the sizes"
    elif tensor.shape == UNKNOWN_RANK:
        yield f"      shape: {list(UNKNOWN_RANK)}  # CHECK: of an example, which the SavedModel leaves open"
    if tensor.dtype == STRING:
        if savedmodel.DECODES_IMAGES & found.operations:
            yield "      # values: [{b64: ...}]  # images to try it with; JPEGs are generated without"
            yield "      {}"
        else:
            yield '      values: ["an example"]  # CHECK: texts to try it with, or {b64: ...} for bytes'
    elif tensor.dtype in FLOATS:
        pixels = "pixels are [0, 255], [0, 1] or [-1, 1]; " if tensor.has_shape_of_image else ""
        yield f"      # range: [0, 1]  # CHECK: least and largest number that clients send; {pixels}INT8 needs it"
        if OPEN not in tensor.shape and tensor.shape != UNKNOWN_RANK:
            yield "      {}"
    elif tensor.dtype == "bool" or (tensor.dtype == "uint8" and tensor.has_shape_of_image):
        if OPEN not in tensor.shape:
            yield "      {}"
    else:
        yield "      range: [0, 1]  # CHECK: least and largest number that clients send"


def _quoted(text: str) -> str:
    """A text in YAML's double quotes, on one line; what can't be printed is escaped."""
    inside = "".join(one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in text)
    return f'"{inside}"'


def _shown(text: str) -> str:
    """A text in a comment: as it is, or quoted where it has characters that no comment can have."""
    return text if text.isprintable() else _quoted(text)


def _shape(tensor: Tensor, described: Signature) -> str:
    sizes = ["?" if size in (OPEN, *savedmodel.UNKNOWN_SHAPE) else str(size) for size in tensor.shape]
    return f"[{', '.join([*(['batch'] if described.batched else []), *sizes])}]"


def _others(found: Signatures, served: str) -> str:
    others = ", ".join(_shown(name) for name in sorted(found.by_name) if name != served)
    return f"  # it has also {others}" if others else ""


def _no_onnx(found: Signatures) -> str:
    """What of a graph no ONNX operation stands for, as far as its operations alone say it."""
    kinds = (savedmodel.DECODES_IMAGES, savedmodel.PARSES_EXAMPLES)
    lost = sorted(found.operations & frozenset.union(*kinds))
    lost += sorted(one for one in found.operations if one.startswith("LookupTable"))
    return f"The graph has {', '.join(lost)}" if lost else ""
