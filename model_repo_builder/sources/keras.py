"""Networks of keras.applications, and EfficientNet-Lite0: published weights, or random ones shaped like them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_repo_builder.downloads import describe_failure, is_unreachable
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.examples import images
from model_repo_builder.plan.model import Model
from model_repo_builder.signature import Signature
from model_repo_builder.sources import efficientnet_lite
from model_repo_builder.sources.preprocessing import preprocess

# Networks that keras.applications lacks; they are made in the same way.
OWN = {"EfficientNetLite0": efficientnet_lite.create}
DOWNLOAD_TIMEOUT_S = 15
# Images that set the statistics of random weights; enough to spread the classes, few enough to take seconds.
STATISTICS_IMAGES = 16
# Logits of trained ImageNet classifiers have a standard deviation of about this much.
LOGIT_DEVIATION = 3.0
# Without it each layer of a random network doubles small differences, rounding to INT8 among them, until nothing of
# the input is left; around a positive mean ReLU is nearly linear and the network as smooth as a trained one.
# Top-1 agreement of INT8 rose from 5 % to 64 % by it (ResNet-50, 64 x 64 pixels).
NORMALISED_MEAN = 3.0
# Classes differ in scale (log-normal), so that the best one leads clearly, as in a trained network.
CLASS_SCALE_DEVIATION = 1.0


@dataclass(frozen=True)
class Loaded:
    """A network that maps preprocessed float32 images to {"probabilities": [n, classes]}, and what its weights are."""

    network: Any
    weights: str
    pretrained: bool


def load(model: Model, signature: Signature) -> Loaded:
    """Build the network; falls back to `fallback_weights` when the download fails, and says so in `weights`.

    A fault of another kind, such as a full disk, is a BuildError, whatever the plan says.
    """
    create = _constructor(model)
    if model.weights == "imagenet":
        try:
            return Loaded(_wrap(_create(create, model, signature, "imagenet")), "imagenet", True)
        except InvalidError:
            raise
        except Exception as error:
            is_missing = isinstance(error, FileNotFoundError | BuildError) or is_unreachable(error)
            if model.fallback_weights is None or not is_missing:
                allowed = "a working download, weights: random:SEED, or fallback_weights: random:SEED"
                raise BuildError(f"model.weights: imagenet ({_reason(error)}); allowed: {allowed}") from None
    weights = model.fallback_weights if model.weights == "imagenet" else model.weights
    network = _create(create, model, signature, None)
    _randomise(network, int(str(weights).removeprefix("random:")), signature, model.preprocessing)
    note = " (imagenet could not be downloaded)" if model.weights == "imagenet" else ""
    return Loaded(_wrap(network), f"{weights}{note}", False)


def _constructor(model: Model) -> Any:
    """The function that makes the network; InvalidError with all known ones where there is none."""
    import tensorflow as tf

    published = {key: value for key, value in vars(tf.keras.applications).items() if key[0].isupper()}
    known = {key: value for key, value in {**published, **OWN}.items() if callable(value)}
    create = known.get(model.source.removeprefix("keras:"))
    if create is None:
        raise InvalidError("model.source", model.source, ", ".join(f"keras:{key}" for key in sorted(known)))
    return create


def _create(create: Any, model: Model, signature: Signature, weights: str | None) -> Any:
    try:
        with _time_out(DOWNLOAD_TIMEOUT_S):
            return create(weights=weights, input_shape=signature.image.shape, **model.arguments)
    except (TypeError, ValueError) as error:
        raise InvalidError("model.arguments", f"{model.arguments} ({error})", f"what {model.source} accepts") from None


@contextmanager
def _time_out(seconds: float) -> Iterator[None]:
    """Keras offers no time-out for downloads; without one, a silent network would hang the build."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | BuildError):
        return str(error)
    return describe_failure(error)


def _wrap(network: Any) -> Any:
    def call(batch: Any) -> dict[str, Any]:
        return {"probabilities": network(batch, training=False)}

    call.network = network  # type: ignore[attr-defined]
    return call


def _randomise(network: Any, seed: int, signature: Signature, preprocessing: str) -> None:
    """Random weights whose outputs mean something: the same for the same seed.

    He initialisation (He et al. 2015) keeps the variance of activations; batch normalisation takes its statistics
    from one pass over synthetic images, as training would leave them; the last layer is scaled and centred so that
    logits differ between images. Top-1 agreement and INT8 ranges are then comparable to those of a trained network.
    """
    import tensorflow as tf

    random = np.random.default_rng(seed)
    normalisations = []
    for layer in network.layers:
        depthwise = getattr(layer, "depthwise_kernel", None)
        kernel = getattr(layer, "kernel", None) if depthwise is None else depthwise
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            normalisations.append((layer, layer.momentum))
            layer.beta.assign(tf.fill(layer.beta.shape, NORMALISED_MEAN))
        elif kernel is not None:
            fan_in = np.prod(kernel.shape[:2] if depthwise is not None else kernel.shape[:-1])
            kernel.assign(random.normal(0, np.sqrt(2 / fan_in), kernel.shape).astype(np.float32))
    batch = _statistics_batch(seed, signature, preprocessing)
    for layer, _ in normalisations:
        layer.momentum = 0.0
    network(batch, training=True)
    for layer, momentum in normalisations:
        layer.momentum = momentum
    _spread_logits(network, batch, random)


def _statistics_batch(seed: int, signature: Signature, preprocessing: str) -> Any:
    import tensorflow as tf

    height, width, _ = signature.image.shape
    batch = images.load(f"synthetic:{seed}", "model.weights", STATISTICS_IMAGES, (height, width))
    return preprocess(tf.constant(batch, tf.float32), preprocessing)


def _spread_logits(network: Any, batch: Any, random: np.random.Generator) -> None:
    import tensorflow as tf

    last = network.layers[-1]
    if not isinstance(last, tf.keras.layers.Dense):
        return
    last.kernel.assign(last.kernel * np.exp(random.normal(0, CLASS_SCALE_DEVIATION, last.kernel.shape[1])))
    activation, last.activation = last.activation, tf.keras.activations.linear
    logits = network(batch, training=False).numpy()
    last.activation = activation
    centred = logits - logits.mean(axis=0)
    scale = LOGIT_DEVIATION / max(float(centred.std()), 1e-6)
    last.kernel.assign(last.kernel * scale)
    last.bias.assign((last.bias - logits.mean(axis=0)) * scale)
