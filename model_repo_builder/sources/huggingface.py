"""Question answering with BERT and DistilBERT: TensorFlow classes of transformers, random or trained weights.

The published architectures are known here and need no download. Their numbers are the defaults of the classes'
configurations, which tests/builder_env/test_language.py compares with the papers.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_line.extras import install_line
from model_repo_builder.downloads import is_unreachable
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.examples.sequences import IDS, LEAST_VOCABULARY, MASK, TYPES
from model_repo_builder.plan.model import Model
from model_repo_builder.signature import Signature, Tensor

PREFIX = "huggingface:"
PACKAGES = ("transformers", "tf-keras")
# Later releases have no TensorFlow classes.
NEWEST_MAJOR = 4
OUTPUTS = ("start_logits", "end_logits")


@dataclass(frozen=True)
class Architecture:
    """An architecture by the names of its classes in transformers, and the inputs that it takes."""

    config: str
    network: str
    inputs: tuple[str, ...]


# By `model_type`, as transformers calls it. DistilBERT has no token types (Sanh et al. 2019).
ARCHITECTURES = {
    "bert": Architecture("BertConfig", "TFBertForQuestionAnswering", (IDS, MASK, TYPES)),
    "distilbert": Architecture("DistilBertConfig", "TFDistilBertForQuestionAnswering", (IDS, MASK)),
}
# Models whose configuration is the default of its class. BERT-base (Devlin et al. 2019): 12 layers, hidden size 768,
# 12 heads, 4 x 768 in between, 512 positions, GELU; DistilBERT (Sanh et al. 2019): the same with 6 layers.
PUBLISHED = {"bert-base-uncased": "bert", "distilbert-base-uncased": "distilbert"}
# The lines of the vocabulary that both were published with.
VOCABULARY = 30522


@dataclass(frozen=True)
class Loaded:
    """A network that maps tensors to tensors by their names, its signature, and what its weights are."""

    network: Any
    signature: Signature
    weights: str
    pretrained: bool


def check(model: Model) -> None:
    """Stop on a missing or too new transformers, and on a model that can't be had, without importing anything large."""
    name = _name(model)
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = f"{model.source} ({package} is not installed)"
            raise InvalidError("model.source", found, install_line("language")) from None
        if package == "transformers" and int(version.partition(".")[0]) > NEWEST_MAJOR:
            allowed = f"transformers {NEWEST_MAJOR}, the last with TensorFlow classes"
            raise InvalidError("model.source", f"{model.source} (transformers {version})", allowed)
    directory = folder(model)
    if directory is not None:
        if _model_type(directory) not in ARCHITECTURES:
            allowed = f"a directory whose config.json has model_type {', '.join(ARCHITECTURES)}"
            raise InvalidError("model.source", model.source, allowed)
        if model.weights != "pretrained":
            raise InvalidError("model.weights", model.weights, "pretrained for a directory, which holds its own")
    elif model.weights != "pretrained" and name not in PUBLISHED:
        allowed = f"{', '.join(PUBLISHED)} for random weights; others with weights: pretrained"
        raise InvalidError("model.source", model.source, allowed)


def folder(model: Model) -> Path | None:
    """The directory of a model that transformers saved; None for a name."""
    path = Path(_name(model))
    return path if path.is_absolute() else None


def published_signature(model: Model) -> Signature | None:
    """What a published architecture will take and give, known before transformers is imported."""
    architecture = PUBLISHED.get(_name(model))
    vocabulary = int(model.arguments.get("vocab_size") or VOCABULARY)
    return None if architecture is None else _signature(model, ARCHITECTURES[architecture], vocabulary)


def load(model: Model) -> Loaded:
    """Build the network; falls back to `fallback_weights` when the download fails, and says so in `weights`."""
    if model.weights == "pretrained":
        try:
            return _pretrained(model)
        except OSError as error:
            reason = " ".join(str(error).split())[:160]
            if Path(_name(model)).is_dir():  # nothing of it is downloaded
                raise BuildError(f"model.source: {model.source} cannot be read ({reason})") from None
            if model.fallback_weights is None or not is_unreachable(error):
                allowed = "a working download, weights: random:SEED, or fallback_weights: random:SEED"
                raise BuildError(f"model.weights: pretrained ({reason}); allowed: {allowed}") from None
    weights = str(model.fallback_weights if model.weights == "pretrained" else model.weights)
    note = " (pretrained could not be downloaded)" if model.weights == "pretrained" else ""
    return _random(model, int(weights.removeprefix("random:")), f"{weights}{note}")


def _random(model: Model, seed: int, weights: str) -> Loaded:
    """The published architecture, changed by `arguments`, with weights of its own initialisation.

    Normal with a deviation of 0.02, as before BERT's training; layer normalisation keeps activations of a random
    network as large as those of a trained one.
    """
    transformers = _transformers()
    import tensorflow as tf

    if _name(model) not in PUBLISHED:
        raise InvalidError("model.source", model.source, f"{', '.join(PUBLISHED)} for random weights")
    architecture = ARCHITECTURES[PUBLISHED[_name(model)]]
    config = _changed(getattr(transformers, architecture.config)(), model)
    # Not tf_keras.utils.set_random_seed: on Python 3.12 its generator refuses the float that tf-keras 2.17 gives it.
    random.seed(seed)
    tf.random.set_seed(seed)
    try:
        network = getattr(transformers, architecture.network)(config)
        return _loaded(model, architecture, network, weights, pretrained=False)
    except ValueError as error:
        raise InvalidError("model.arguments", f"{model.arguments} ({error})", f"what {model.source} accepts") from None


def _pretrained(model: Model) -> Loaded:
    """A model of a directory or of Hugging Face's hub; OSError where it can't be read."""
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(_name(model))
    architecture = ARCHITECTURES.get(config.model_type)
    if architecture is None:
        raise InvalidError("model.source", f"{model.source} is {config.model_type}", ", ".join(ARCHITECTURES))
    network, report = getattr(transformers, architecture.network).from_pretrained(
        _name(model), config=_changed(config, model), output_loading_info=True
    )
    # Names of layers, or of their weights below the name of the whole network: NETWORK/qa_outputs/kernel:0.
    untrained = sorted({[*name.split("/")[1:2], name][0] for name in report["missing_keys"]})
    weights = f"pretrained ({', '.join(untrained)} random)" if untrained else "pretrained"
    return _loaded(model, architecture, network, weights, pretrained=not untrained)


def _loaded(model: Model, architecture: Architecture, network: Any, weights: str, *, pretrained: bool) -> Loaded:
    import tensorflow as tf

    positions, vocabulary = network.config.max_position_embeddings, network.config.vocab_size
    if int(model.form.length or 0) > positions:
        raise InvalidError("model.input.sequence_length", model.form.length, f"at most {positions}")
    if vocabulary < LEAST_VOCABULARY:
        raise InvalidError("model.arguments.vocab_size", vocabulary, f"at least {LEAST_VOCABULARY}")

    def call(inputs: dict[str, Any]) -> dict[str, Any]:
        results = network({name: tf.cast(tensor, tf.int32) for name, tensor in inputs.items()}, training=False)
        return {name: results[name] for name in OUTPUTS}

    return Loaded(call, _signature(model, architecture, vocabulary), weights, pretrained)


def _signature(model: Model, architecture: Architecture, vocabulary: int) -> Signature:
    """Fixed length, any batch. A generated request has no padding and one segment: the most work there can be."""
    form = model.form
    assert form.length is not None
    shape, values = (form.length,), {IDS: (0, vocabulary - 1), MASK: (1, 1), TYPES: (0, 0)}
    return Signature(
        inputs=tuple(Tensor(name, form.dtype, shape, values[name]) for name in architecture.inputs),
        outputs=tuple(Tensor(name, "float32", shape) for name in OUTPUTS),
    )


def _changed(config: Any, model: Model) -> Any:
    unknown = [name for name in model.arguments if not hasattr(config, name)]
    if unknown:
        raise InvalidError(f"model.arguments.{unknown[0]}", "unknown key", "fields of the model's configuration")
    for name, value in model.arguments.items():
        setattr(config, name, value)
    return config


def _transformers() -> Any:
    # It would otherwise also import PyTorch where that is installed.
    os.environ.setdefault("USE_TORCH", "0")
    import transformers

    transformers.logging.set_verbosity_error()
    return transformers


def _name(model: Model) -> str:
    return model.source.removeprefix(PREFIX)


def _model_type(directory: Path) -> str:
    try:
        return str(json.loads((directory / "config.json").read_text(encoding="utf-8")).get("model_type"))
    except (OSError, ValueError, AttributeError):
        return ""
