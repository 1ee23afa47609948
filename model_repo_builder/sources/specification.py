"""What a plan says of its source, checked and identified cheaply: nothing here imports TensorFlow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from model_repo_builder import bucket
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.model import Model
from model_repo_builder.plan.schema import WARM_UP_REQUESTS
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor
from model_repo_builder.sources import bucket as bucket_source
from model_repo_builder.sources import huggingface as huggingface_source
from model_repo_builder.sources import keras_file
from model_repo_builder.sources import savedmodel as savedmodel_source

ALLOWED = (
    "keras:NAME of keras.applications, huggingface:NAME of transformers, a SavedModel directory, a file of Keras, or "
    f"a directory at {bucket.ALLOWED}"
)
KNOWN_SIGNATURES = f"keras:NAME, {', '.join(f'huggingface:{name}' for name in huggingface_source.PUBLISHED)}"
# Where TensorFlow Serving keeps its requests in a SavedModel.
WARM_UP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
KERAS_SIZE = (224, 224)
KERAS_CLASSES = 1000


def check(model: Model) -> None:
    """Stop on a source that cannot be right, without importing TensorFlow."""
    if model.origin == "keras":
        if not model.source.removeprefix("keras:").isidentifier():
            raise InvalidError("model.source", model.source, ALLOWED)
    elif model.origin == "huggingface":
        huggingface_source.check(model)
    elif bucket.is_url(model.source):
        bucket_source.check(model.source)
    else:
        savedmodel_signature(model)
    if model.labels not in (None, "imagenet"):
        _check_labels(model)


def _check_labels(model: Model) -> None:
    """InvalidError for labels that are no text, or not as many as an output of a SavedModel has numbers."""
    path, allowed = Path(str(model.labels)), "imagenet, or a text file (UTF-8) with one label a line"
    try:
        count = len(path.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError:
        raise InvalidError("model.labels", f"{path} is no text in UTF-8", allowed) from None
    except (OSError, ValueError) as error:
        raise InvalidError("model.labels", f"{path} ({getattr(error, 'strerror', error)})", allowed) from None
    if model.origin != "savedmodel" or bucket.is_url(model.source):
        return
    found = savedmodel_signature(model)
    sizes = {tensor.name: tensor.shape[-1] for tensor in found.outputs if tensor.shape}
    if not {count, OPEN, *savedmodel_source.UNKNOWN_SHAPE} & set(sizes.values()):
        outputs = ", ".join(f"{size}, as output {name} has" for name, size in sizes.items()) or "none"
        raise InvalidError("model.labels", f"{path} has {count} labels", outputs)


def packages(model: Model) -> tuple[str, ...]:
    """Packages whose version decides the graph, besides those of the engines."""
    return huggingface_source.PACKAGES if model.origin == "huggingface" else ()


def identity(model: Model) -> str:
    """SHA-256 of all that decides the frozen graph: the content of a directory, or the specification of a network."""
    digest = hashlib.sha256()
    specification = model.model_dump(mode="json", exclude={"name", "source", "labels"})
    digest.update(json.dumps(specification, sort_keys=True).encode())
    root = huggingface_source.folder(model) if model.origin == "huggingface" else None
    if keras_file.is_keras_file(Path(model.source)):
        # Each export names its objects anew.
        digest.update(keras_file.digest(Path(model.source)).encode())
        return digest.hexdigest()
    if model.origin == "savedmodel":
        root = savedmodel_source.folder(model)
    if root is None:
        digest.update(model.source.encode())
        return digest.hexdigest()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def signature(model: Model) -> Signature | None:
    """What the model will take and give, where that is known before it is loaded."""
    if model.origin == "keras":
        return keras_signature(model)
    if model.origin == "huggingface":
        return huggingface_source.published_signature(model)
    return None if bucket.is_url(model.source) else savedmodel_signature(model)


def examples(model: Model, source: str, field: str) -> str:
    """Where examples are: the source itself, or the file with the SavedModel's own requests.

    InvalidError on `field` where there is no such file.
    """
    if source != WARM_UP_REQUESTS:
        return source
    if model.origin != "savedmodel":
        raise InvalidError(field, source, f"another source, as {model.source} is no SavedModel")
    path = savedmodel_source.folder(model) / WARM_UP_FILE
    if not path.is_file():
        raise InvalidError(field, f"{source}, but there is no {path}", "another source of examples")
    return str(path)


def savedmodel_signature(model: Model) -> Signature:
    """What a SavedModel takes and gives by saved_model.pb and the plan; what running it shows comes later."""
    found = savedmodel_source.signature(model)
    _check_input(model, found)
    if model.preprocessing != "none" and not _takes_rgb(found):
        shapes = ", ".join(tensor.named_shape() for tensor in found.inputs)
        allowed = f"none, as the model takes {shapes}, and no RGB image [height, width, 3]"
        raise InvalidError("model.preprocessing", model.preprocessing, allowed)
    return found


def _takes_rgb(found: Signature) -> bool:
    return len(found.inputs) == 1 and found.image.has_shape_of_image and found.image.shape[-1] == 3


def _check_input(model: Model, found: Signature) -> None:
    """InvalidError where `model.input`, which is about the one input of a model, says what that input does not have."""
    names = ", ".join(tensor.name for tensor in found.inputs)
    if "name" in model.input.model_fields_set and model.input.name != names:
        raise InvalidError("model.input.name", model.input.name, f"{names}, as its signature says")
    if model.input.range is not None and (len(found.inputs) > 1 or found.inputs[0].dtype == STRING):
        tensors = ", ".join(tensor.named_shape() for tensor in found.inputs)
        allowed = f"nothing, as the model takes {tensors}; model.inputs.NAME.range is that of one input"
        raise InvalidError("model.input.range", list(model.input.range), allowed)


def keras_signature(model: Model) -> Signature:
    """What a Keras classifier will take and give, known before it is built."""
    size = model.input.size or KERAS_SIZE
    classes = int(model.arguments.get("classes") or KERAS_CLASSES)
    return Signature(
        inputs=(Tensor(model.input.name, model.form.dtype, (*size, 3)),),
        outputs=(Tensor("probabilities", "float32", (classes,)),),
    )
