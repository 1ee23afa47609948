"""One's own SavedModel: where it lies, what its signature says, and the function that executes it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model_repo_builder import bucket
from model_repo_builder.errors import InvalidError, first_line
from model_repo_builder.plan.model import Model, TensorInput
from model_repo_builder.signature import CHANNELS, FLOATS, OPEN, STRING, Signature, Tensor
from model_repo_builder.sources import bucket as bucket_source
from model_repo_builder.sources import keras_file, saved_model_pb
from model_repo_builder.sources.saved_model_pb import Declared, Signatures

DEFAULT_SIGNATURE = "serving_default"
# What Triton can send and receive; bfloat16 is served as float32, which holds each of its numbers.
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
DTYPES = (*FLOATS, *INTEGERS, "bool", STRING)
BFLOAT16 = "bfloat16"
# An argument of the function that TensorFlow makes of a signature, beside its inputs.
RESERVED = frozenset({"self"})
# They call Python code, which stays behind in the process that saved the model.
PYTHON_CODE = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
DECODES_IMAGES = frozenset({"DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeAndCropJpeg"})
PARSES_EXAMPLES = frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample"})
# A graph with variables has their values beside it.
VARIABLE_OPERATIONS = frozenset({"VarHandleOp", "VariableV2", "Variable"})
VARIABLES = Path("variables", "variables.index")
# An output whose rank no one says: it is looked up when the model has been run.
UNKNOWN_SHAPE = (-2,)
# Where the graph or two answers show that an answer is drawn.
NOT_RANDOM = "a model without dropout or random numbers when it serves (training=False)"
_PACKED = "the directory that is packed in it: unpack it first"
HINTS = {
    **dict.fromkeys(keras_file.SUFFIXES, "that file itself as model.source, or a SavedModel"),
    ".tflite": "a SavedModel; a TensorFlow Lite file can't be turned back into one",
    ".onnx": "a SavedModel; Triton serves an ONNX file as it is",
    ".pb": "a SavedModel; tf.compat.v1.saved_model.simple_save makes one of a frozen graph",
    ".pbtxt": "a SavedModel with saved_model.pb; tf.saved_model.save writes it",
    **dict.fromkeys((".gz", ".tgz", ".tar", ".bz2", ".xz", ".zip", ".zst"), _PACKED),
    **dict.fromkeys((".pt", ".pth", ".safetensors"), "a SavedModel; this file is of PyTorch"),
    **dict.fromkeys(
        (".ckpt", ".index", ".meta"),
        "a SavedModel; a checkpoint has the weights alone: load it where the model is made, then tf.saved_model.save",
    ),
}
SHAPE_OF_EXAMPLE = "the whole shape of an example, such as [224, 224, 3], without the batch"
# Folders in a message.
MOST_NAMED = 3
ALLOWED = (
    "a directory with saved_model.pb, that file, a directory of numbered versions as TensorFlow Serving has, or a file "
    "of Keras (.keras, .h5)"
)


def folder(model: Model) -> Path:
    """The directory of a SavedModel on this machine; InvalidError, with a hint, where there is none."""
    if bucket.is_url(model.source):
        return bucket_source.fetch(model.source)
    path = Path(model.source)
    try:
        found = _folder(path)
    except OSError as error:
        raise InvalidError("model.source", f"{path} ({error.strerror})", f"{ALLOWED}, that can be read") from None
    return keras_file.fetch(found) if keras_file.is_keras_file(found) else found


def _folder(path: Path) -> Path:
    """The directory, or the file of Keras that one is made of."""
    if not path.exists():
        found = "is a link to nothing" if path.is_symlink() else "does not exist"
        raise InvalidError("model.source", f"{path} {found}", ALLOWED)
    if path.is_file():
        if path.name == saved_model_pb.FILE:
            return path.parent
        if keras_file.is_keras_file(path):
            return path
        raise InvalidError("model.source", f"{path} is a file", HINTS.get(path.suffix.lower(), ALLOWED))
    versions = [one for one in path.iterdir() if one.name.isdecimal() and (one / saved_model_pb.FILE).is_file()]
    if not (path / saved_model_pb.FILE).is_file() and versions:
        return max(versions, key=lambda one: int(one.name))
    if not (path / saved_model_pb.FILE).is_file():
        inside = next((one for one in sorted(path.iterdir()) if one.is_file() and one.suffix.lower() in HINTS), None)
        allowed = HINTS[inside.suffix.lower()] if inside else ALLOWED
        found = f", but {inside.name}" if inside else ""
        folders = [one.name for one in sorted(path.iterdir()) if (one / saved_model_pb.FILE).is_file()]
        if folders:
            found, allowed = ", but a folder in it does", ", ".join(str(path / one) for one in folders[:MOST_NAMED])
        raise InvalidError("model.source", f"{path} holds no saved_model.pb{found}", allowed)
    return path


def signatures(model: Model) -> Signatures:
    """All that saved_model.pb says; InvalidError where it can't be served at all."""
    place = folder(model)
    try:
        found = _read(place / saved_model_pb.FILE)
    except saved_model_pb.UnreadableError as error:
        raise InvalidError("model.source", f"{model.source} {error.found}", error.allowed) from None
    if VARIABLE_OPERATIONS & found.operations and not (place / VARIABLES).is_file():
        raise InvalidError("model.source", f"{model.source} has no {VARIABLES}", "a copy of all of its files")
    python = sorted(PYTHON_CODE & found.operations)
    if python:
        allowed = "TensorFlow operations alone: what numpy_function and py_function call is not in the SavedModel"
        raise InvalidError("model.source", f"{model.source} holds {', '.join(python)}", allowed)
    return found


@cache
def _read(path: Path) -> Signatures:
    return saved_model_pb.read(path)


def signature_name(model: Model) -> str:
    """The signature to serve: the plan's, or the only one where the plan says none."""
    found = signatures(model).by_name
    if "signature" not in model.model_fields_set and model.signature not in found and len(found) == 1:
        return next(iter(found))
    if model.signature not in found:
        present = (
            ", ".join(sorted(found)) or "a SavedModel with a signature (this one has none): pass signatures= to save"
        )
        raise InvalidError("model.signature", model.signature, present)
    return model.signature


def signature(model: Model) -> Signature:
    """What the model takes and gives by its signature and the plan, without TensorFlow.

    Tensors share a batch where the first dimension of every one is open. InvalidError for what can't be served.
    """
    found = signatures(model)
    declared_in, declared_out = found.by_name[signature_name(model)]
    _check_names(model, declared_in, declared_out)
    batched = _is_batched(model, declared_in, declared_out)
    inputs = tuple(_input(one, model, found, batched=batched) for one in declared_in)
    outputs = tuple(_output(one, batched=batched) for one in declared_out)
    return Signature(inputs, outputs, batched=batched, sample_kind="arrays")


def _check_names(model: Model, inputs: tuple[Declared, ...], outputs: tuple[Declared, ...]) -> None:
    if not inputs:
        raise InvalidError("model.signature", f"{signature_name(model)} takes no input", "a signature with inputs")
    names = [one.name for one in inputs]
    for name in sorted(RESERVED & set(names)):
        allowed = "another name: TensorFlow can't be given it"
        raise InvalidError("model.source", f"an input has the name {name}", allowed)
    for name in model.inputs:
        if name not in names:
            raise InvalidError(f"model.inputs.{name}", "no input of the SavedModel", ", ".join(names))
    for what, one in [*(("input", one) for one in inputs), *(("output", one) for one in outputs)]:
        if one.dtype not in (*DTYPES, BFLOAT16) or (what == "input" and one.dtype == BFLOAT16):
            raise InvalidError("model.source", f"{what} {one.name} is {one.dtype}", ", ".join(DTYPES))
        if 0 in (one.shape or ()):
            allowed = "sizes from 1 on, or open ones (-1): Triton loads no other"
            raise InvalidError("model.source", f"{what} {one.name} is {list(one.shape or ())}", allowed)


def _is_batched(model: Model, inputs: tuple[Declared, ...], outputs: tuple[Declared, ...]) -> bool:
    """Whether dimension 0 is open in every tensor; the plan may forbid a batch, not invent one."""
    fixed = [one for one in (*inputs, *outputs) if one.shape is not None and (not one.shape or one.shape[0] != OPEN)]
    if model.batching and fixed:
        found = f"true, but {fixed[0].name} is {list(fixed[0].shape or ())}"
        raise InvalidError("model.batching", found, "false: a batch needs an open first dimension in every tensor")
    return not fixed and model.batching is not False


def _input(one: Declared, model: Model, found: Signatures, *, batched: bool) -> Tensor:
    plan = model.inputs.get(one.name, TensorInput())
    field = f"model.inputs.{one.name}"
    fixed = _image_size(one, model, batched=batched)
    wanted = plan.shape or fixed
    if one.shape is None:
        if wanted is None:
            raise InvalidError(f"{field}.shape", "missing, and the SavedModel does not say it", SHAPE_OF_EXAMPLE)
        shape = wanted
    else:
        shape = fixed or (one.shape[1:] if batched else one.shape)
    if wanted is not None and not _fits(shape, wanted):
        raise InvalidError(f"{field}.shape", list(wanted), f"{list(shape)}, -1 being any size: that of the SavedModel")
    tensor = Tensor(one.name, one.dtype, shape, sample_shape=plan.shape if OPEN in shape else None)
    if one.dtype == STRING:
        return _text(tensor, plan, found)
    if plan.values:
        raise InvalidError(f"{field}.values", "set", f"range, as {one.name} is {one.dtype}")
    if plan.range is None and model.input.range is not None and _is_sole(one, found, model):
        plan = TensorInput(range=model.input.range)
    if plan.range is not None:
        _check_range(tensor, plan.range, field if one.name in model.inputs else "model.input")
    if plan.range is not None and one.dtype not in FLOATS:
        least, most = plan.range
        return replace(tensor, values=(round(least), round(most)), range=plan.range)
    return replace(tensor, range=plan.range)


def _check_range(tensor: Tensor, found: tuple[float, float], field: str) -> None:
    """InvalidError for numbers that the input's dtype can't hold."""
    kind = np.dtype(tensor.dtype)
    limits = (0, 1) if kind.kind == "b" else np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    least, most = limits if isinstance(limits, tuple) else (limits.min, limits.max)
    if not least <= found[0] < found[1] <= most:
        allowed = f"numbers of {tensor.dtype}, {least:g} to {most:g}, as {tensor.name} is"
        raise InvalidError(f"{field}.range", list(found), allowed)


def _text(tensor: Tensor, plan: TensorInput, found: Signatures) -> Tensor:
    if plan.range is not None:
        raise InvalidError(f"model.inputs.{tensor.name}.range", "set", f"values, as {tensor.name} is a string")
    return replace(tensor, texts=plan.values)


def needs_values(tensor: Tensor, found: Signatures) -> bool:
    """Whether examples of a string must come from the plan: graphs that decode images get generated JPEGs."""
    return tensor.dtype == STRING and not tensor.texts and not DECODES_IMAGES & found.operations


def _is_sole(one: Declared, found: Signatures, model: Model) -> bool:
    return len(found.by_name[signature_name(model)][0]) == 1


def _image_size(one: Declared, model: Model, *, batched: bool) -> tuple[int, ...] | None:
    """The shape that model.input.size fixes of an image of open size; InvalidError where it contradicts."""
    size = model.input.size
    if size is None or one.shape is None:
        return None
    shape = one.shape[1:] if batched else one.shape
    if len(shape) < 3 or one.dtype == STRING:
        raise InvalidError("model.input.size", list(size), f"nothing: {one.name} is no image, but {list(shape)}")
    *leading, first, second, third = shape
    channels_last = third in CHANNELS or first not in CHANNELS
    whole = (*size, third) if channels_last else (first, *size)
    if not _fits((first, second, third), whole):
        inside = (first, second) if channels_last else (second, third)
        raise InvalidError("model.input.size", list(size), f"{list(inside)}, the size of the source")
    return (*leading, *whole)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(a in (OPEN, b) for a, b in zip(shape, wanted, strict=True))


def _output(one: Declared, *, batched: bool) -> Tensor:
    dtype = "float32" if one.dtype == BFLOAT16 else one.dtype
    if one.shape is None:
        return Tensor(one.name, dtype, UNKNOWN_SHAPE)
    return Tensor(one.name, dtype, one.shape[1:] if batched else one.shape)


def _why_not(error: Exception) -> tuple[str, str]:
    """What TensorFlow's error in loading means, and what is allowed."""
    text = str(error)
    operation = re.search(r"Op type not registered '([^']+)'", text)
    if operation:
        return f"uses the operation {operation[1]}, which TensorFlow does not have", "TensorFlow's own operations alone"
    if re.search(
        r"\bvariables\b|TensorSliceReader|Checksum|checkpoint|table file|sstable|less bytes", text, re.IGNORECASE
    ):
        return "has variables that are missing, damaged or of another model", "a copy of all of its files"
    if "No such file" in text or "assets" in text:
        return "lacks files of its directory assets", "a copy of all of its files"
    return f"can't be loaded: {first_line(error)}", "a SavedModel that TensorFlow loads"


def load(model: Model) -> Any:
    """A function from the inputs to the outputs, by the names of the signature; bfloat16 becomes float32.

    Its attribute `model` keeps the SavedModel alive, `tables` says whether the graph holds more than variables.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder(model)), tags=list(signatures(model).tags))
        function = loaded.signatures[signature_name(model)]
    except Exception as error:
        found, allowed = _why_not(error)
        raise InvalidError("model.source", f"{model.source} {found}", allowed) from None

    def network(inputs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor
            for name, tensor in function(**inputs).items()
        }

    network.model = loaded  # type: ignore[attr-defined]  # a signature does not keep its model's variables alive
    return network
