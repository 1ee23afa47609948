"""What an image model does with pixels before its first layer, as part of the served graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Means and deviations of the ImageNet training set, as keras.applications.imagenet_utils uses them.
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)
TORCH_DEVIATION_RGB = (0.229, 0.224, 0.225)

Tensors = dict[str, Any]


def from_pixels(network: Callable[[Any], Tensors], image: str, mode: str) -> Callable[[Tensors], Tensors]:
    """A network that takes preprocessed images as one that takes pixels of any dtype, by the input's name."""
    import tensorflow as tf

    def whole(inputs: Tensors) -> Tensors:
        return network(preprocess(tf.cast(inputs[image], tf.float32), mode))

    return whole


def preprocess(images: Any, mode: str) -> Any:
    """RGB images [n, h, w, 3] of 0 to 255 as the network was trained on; modes of keras.applications."""
    import tensorflow as tf

    if mode == "caffe":
        # Not images[..., ::-1]: TensorRT takes a slice that steps backwards into an engine and then can't build it.
        blue_first = tf.concat(tf.split(images, 3, axis=-1)[::-1], axis=-1)
        return blue_first - tf.constant(CAFFE_MEAN_BGR)
    if mode == "tf":
        return images / 127.5 - 1.0
    if mode == "torch":
        return (images / 255.0 - tf.constant(TORCH_MEAN_RGB)) / tf.constant(TORCH_DEVIATION_RGB)
    return images
