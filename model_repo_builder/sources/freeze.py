"""The source of a plan, frozen once into one graph with its preprocessing."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_repo_builder.plan.model import Model
from model_repo_builder.signature import InputForm, Signature
from model_repo_builder.sources import huggingface as huggingface_source
from model_repo_builder.sources import preprocessing, specification
from model_repo_builder.sources import savedmodel as savedmodel_source


@dataclass(frozen=True)
class Frozen:
    """A source as one graph: `folder` holds a SavedModel for each form of requests, `signature` has the plan's form."""

    folder: Path
    signature: Signature
    weights: str
    pretrained: bool

    def savedmodel(self, form: InputForm) -> Path:
        """The SavedModel that takes requests of this form."""
        return self.folder / form.name


@dataclass(frozen=True)
class Loaded:
    """A source in memory: `network` maps inputs, as clients send them, to outputs, both by their names."""

    network: Callable[[dict[str, Any]], dict[str, Any]]
    signature: Signature
    weights: str
    pretrained: bool


def freeze(model: Model, folder: Path, forms: Iterable[InputForm]) -> Frozen:
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

    signature = specification.keras_signature(model)
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
