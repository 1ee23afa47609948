"""One's own SavedModel of an image network: its signature, and the function that executes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_repo_builder import bucket
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.model import Model
from model_repo_builder.signature import Signature, Tensor
from model_repo_builder.sources import bucket as bucket_source


def folder(model: Model) -> Path:
    """The directory of a SavedModel on this machine."""
    return bucket_source.fetch(model.source) if bucket.is_url(model.source) else Path(model.source)


def load(model: Model) -> tuple[Any, Signature]:
    """A function from images, of the dtype that the signature says, to outputs by name, and that signature.

    InvalidError when the source has no such signature or an input that is no image of known size.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder(model)))
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
