"""The source of a plan: found and checked cheaply first, later frozen once into one graph with its preprocessing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_repo_builder import bucket, bucket_source
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan import Model
from model_repo_builder.signature import Signature, Tensor

ALLOWED = f"keras:NAME of keras.applications, a SavedModel directory, or one at {bucket.ALLOWED}"
# Means and deviations of the ImageNet training set, as keras.applications.imagenet_utils uses them.
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)
TORCH_DEVIATION_RGB = (0.229, 0.224, 0.225)
KERAS_SIZE = (224, 224)
KERAS_CLASSES = 1000


@dataclass(frozen=True)
class Frozen:
    """A source as one graph: `folder` holds a SavedModel for each input dtype, `signature` has the plan's dtype."""

    folder: Path
    signature: Signature
    weights: str
    pretrained: bool

    def savedmodel(self, dtype: str) -> Path:
        """The SavedModel whose input has this dtype."""
        return self.folder / dtype


def check(model: Model) -> None:
    """Stop on a source that cannot be right, without importing TensorFlow."""
    if model.is_keras:
        if not model.source.removeprefix("keras:").isidentifier():
            raise InvalidError("model.source", model.source, ALLOWED)
    elif bucket.is_url(model.source):
        bucket_source.check(model.source)
    elif not Path(model.source).exists():
        raise InvalidError("model.source", f"{model.source} does not exist", ALLOWED)
    elif not (Path(model.source) / "saved_model.pb").is_file():
        raise InvalidError("model.source", f"{model.source} holds no saved_model.pb", ALLOWED)
    if model.labels not in (None, "imagenet") and not Path(str(model.labels)).is_file():
        raise InvalidError("model.labels", model.labels, "imagenet, or a text file with one label a line")


def identity(model: Model) -> str:
    """SHA-256 of all that decides the frozen graph: a SavedModel's content, or the specification of a Keras network."""
    digest = hashlib.sha256()
    specification = model.model_dump(mode="json", exclude={"name", "source", "labels"})
    digest.update(json.dumps(specification, sort_keys=True).encode())
    if model.is_keras:
        digest.update(model.source.encode())
        return digest.hexdigest()
    root = _folder(model)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _folder(model: Model) -> Path:
    """The directory of a SavedModel on this machine."""
    return bucket_source.fetch(model.source) if bucket.is_url(model.source) else Path(model.source)


def keras_signature(model: Model) -> Signature:
    """What a Keras classifier will take and give, known before it is built."""
    size = model.input.size or KERAS_SIZE
    classes = int(model.arguments.get("classes") or KERAS_CLASSES)
    return Signature(
        inputs=(Tensor(model.input.name, model.input.dtype, (*size, 3)),),
        outputs=(Tensor("probabilities", "float32", (classes,)),),
    )


def freeze(model: Model, folder: Path, dtypes: set[str]) -> Frozen:
    """Freeze the source and write one SavedModel for each input dtype under `folder`.

    Raises InvalidError when the source has no such signature or an input that is no image of known size.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(0)
    if model.is_keras:
        from model_repo_builder import keras_source

        loaded = keras_source.load(model, keras_signature(model))
        network, signature = loaded.network, keras_signature(model)
        weights, pretrained = loaded.weights, loaded.pretrained
    else:
        network, signature = _load_savedmodel(model)
        weights, pretrained = "of the SavedModel", True
    signature = signature.with_input_dtype(model.input.dtype)
    for dtype in sorted(dtypes):
        _export(network, model.preprocessing, signature.with_input_dtype(dtype), folder / dtype)
    return Frozen(folder, signature, weights, pretrained)


def _load_savedmodel(model: Model) -> tuple[Any, Signature]:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(_folder(model)))
    except Exception as error:
        raise InvalidError("model.source", f"{model.source}: {error}", "a loadable SavedModel") from None
    if model.signature not in loaded.signatures:
        present = ", ".join(sorted(loaded.signatures)) or "none, the SavedModel has no signatures"
        raise InvalidError("model.signature", model.signature, present)
    function = loaded.signatures[model.signature]
    inputs = [_tensor(spec.name, spec) for spec in function.structured_input_signature[1].values()]
    if len(inputs) != 1 or len(inputs[0].shape) != 3:
        shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in inputs)
        raise InvalidError("model.source", f"inputs {shapes}", "one input of shape [height, width, channels]")
    image = _with_size(inputs[0], model)
    outputs = tuple(_tensor(name, spec) for name, spec in sorted(function.structured_outputs.items()))
    for output in outputs:
        if -1 in output.shape:
            raise InvalidError(
                "model.source", f"output {output.name} {list(output.shape)}", "only the batch is dynamic"
            )

    def network(images: Any) -> dict[str, Any]:
        return dict(function(**{image.name: tf.cast(images, inputs[0].dtype)}))

    network.model = loaded  # type: ignore[attr-defined]  # a signature does not keep its model's variables alive
    return network, Signature((image,), outputs)


def _with_size(image: Tensor, model: Model) -> Tensor:
    """The image with the plan's size where the SavedModel leaves it open; the two must not contradict."""
    height, width, channels = image.shape
    wanted = model.input.size or (height, width)
    fits = all(size in (-1, asked) for size, asked in zip((height, width), wanted, strict=True))
    if -1 in (*wanted, channels):
        allowed = "a fixed size, set model.input.size: [HEIGHT, WIDTH]"
        raise InvalidError("model.input.size", f"{image.name} is {list(image.shape)} in the source", allowed)
    if not fits:
        raise InvalidError("model.input.size", list(wanted), f"{[height, width]}, the size of the source")
    return Tensor(image.name, image.dtype, (*wanted, channels))


def _tensor(name: str, spec: Any) -> Tensor:
    shape = tuple(-1 if size is None else int(size) for size in spec.shape[1:])
    return Tensor(name, spec.dtype.name, shape)


def _export(network: Any, preprocessing: str, signature: Signature, folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    image = signature.image
    spec = tf.TensorSpec((None, *image.shape), image.dtype, name=image.name)
    names = [tensor.name for tensor in signature.outputs]

    def whole(images: Any) -> list[Any]:
        results = network(_preprocess(tf.cast(images, tf.float32), preprocessing))
        return [results[name] for name in names]

    frozen = convert_variables_to_constants_v2(tf.function(whole, input_signature=[spec]).get_concrete_function())

    def served(images: Any) -> dict[str, Any]:
        results = frozen(images)
        return {
            tensor.name: tf.ensure_shape(result, (None, *tensor.shape))
            for tensor, result in zip(signature.outputs, results, strict=True)
        }

    module = tf.Module()
    function = tf.function(served, input_signature=[spec])
    module.serve = function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function.get_concrete_function()})


def _preprocess(images: Any, mode: str) -> Any:
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
