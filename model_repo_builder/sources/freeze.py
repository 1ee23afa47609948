"""The source of a plan: found and checked cheaply first, later frozen once into one graph with its preprocessing."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_repo_builder import bucket
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.model import Model
from model_repo_builder.signature import Form, Signature, Tensor
from model_repo_builder.sources import bucket as bucket_source
from model_repo_builder.sources import huggingface as huggingface_source
from model_repo_builder.sources import preprocessing
from model_repo_builder.sources import savedmodel as savedmodel_source

ALLOWED = (
    "keras:NAME of keras.applications, huggingface:NAME of transformers, a SavedModel directory, or one at "
    f"{bucket.ALLOWED}"
)
KNOWN_SIGNATURES = f"keras:NAME, {', '.join(f'huggingface:{name}' for name in huggingface_source.PUBLISHED)}"
KERAS_SIZE = (224, 224)
KERAS_CLASSES = 1000


@dataclass(frozen=True)
class Frozen:
    """A source as one graph: `folder` holds a SavedModel for each form of requests, `signature` has the plan's form."""

    folder: Path
    signature: Signature
    weights: str
    pretrained: bool

    def savedmodel(self, form: Form) -> Path:
        """The SavedModel that takes requests of this form."""
        return self.folder / form.name


@dataclass(frozen=True)
class Loaded:
    """A source in memory: `network` maps inputs, as clients send them, to outputs, both by their names."""

    network: Callable[[dict[str, Any]], dict[str, Any]]
    signature: Signature
    weights: str
    pretrained: bool


def check(model: Model) -> None:
    """Stop on a source that cannot be right, without importing TensorFlow."""
    if model.origin == "keras":
        if not model.source.removeprefix("keras:").isidentifier():
            raise InvalidError("model.source", model.source, ALLOWED)
    elif model.origin == "huggingface":
        huggingface_source.check(model)
    elif bucket.is_url(model.source):
        bucket_source.check(model.source)
    elif not Path(model.source).exists():
        raise InvalidError("model.source", f"{model.source} does not exist", ALLOWED)
    elif not (Path(model.source) / "saved_model.pb").is_file():
        raise InvalidError("model.source", f"{model.source} holds no saved_model.pb", ALLOWED)
    if model.labels not in (None, "imagenet") and not Path(str(model.labels)).is_file():
        raise InvalidError("model.labels", model.labels, "imagenet, or a text file with one label a line")


def packages(model: Model) -> tuple[str, ...]:
    """Packages whose version decides the graph, besides those of the engines."""
    return huggingface_source.PACKAGES if model.origin == "huggingface" else ()


def identity(model: Model) -> str:
    """SHA-256 of all that decides the frozen graph: the content of a directory, or the specification of a network."""
    digest = hashlib.sha256()
    specification = model.model_dump(mode="json", exclude={"name", "source", "labels"})
    digest.update(json.dumps(specification, sort_keys=True).encode())
    root = huggingface_source.folder(model) if model.origin == "huggingface" else None
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
    return huggingface_source.published_signature(model) if model.origin == "huggingface" else None


def keras_signature(model: Model) -> Signature:
    """What a Keras classifier will take and give, known before it is built."""
    size = model.input.size or KERAS_SIZE
    classes = int(model.arguments.get("classes") or KERAS_CLASSES)
    return Signature(
        inputs=(Tensor(model.input.name, model.form.dtype, (*size, 3)),),
        outputs=(Tensor("probabilities", "float32", (classes,)),),
    )


def freeze(model: Model, folder: Path, forms: Iterable[Form]) -> Frozen:
    """Freeze the source and write one SavedModel for each form of requests under `folder`.

    Raises InvalidError when the source has no such signature or an input that is no image of known size.
    """
    import tensorflow as tf

    from model_repo_builder.sources.export import export

    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(0)
    loaded = _LOAD[model.origin](model)
    signature = loaded.signature.in_form(model.form)
    for form in sorted(set(forms), key=lambda form: form.name):
        export(loaded.network, signature.in_form(form), folder / form.name)
        # Graphs refer to themselves: what is left of one is several times its weights.
        gc.collect()
    return Frozen(folder, signature, loaded.weights, loaded.pretrained)


def _load_keras(model: Model) -> Loaded:
    from model_repo_builder.sources import keras as keras_source

    signature = keras_signature(model)
    found = keras_source.load(model, signature)
    network = preprocessing.from_pixels(found.network, signature.image.name, model.preprocessing)
    return Loaded(network, signature, found.weights, found.pretrained)


def _load_savedmodel(model: Model) -> Loaded:
    found, signature = savedmodel_source.load(model)
    network = preprocessing.from_pixels(found, signature.image.name, model.preprocessing)
    return Loaded(network, signature, "of the SavedModel", True)


def _load_huggingface(model: Model) -> Loaded:
    found = huggingface_source.load(model)
    return Loaded(found.network, found.signature, found.weights, found.pretrained)


_LOAD = {"keras": _load_keras, "huggingface": _load_huggingface, "savedmodel": _load_savedmodel}
