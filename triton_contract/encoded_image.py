"""Which inputs of a model are encoded images: a parameter of its config.pbtxt, which clients and model.py read.

Triton says of such an input that it is bytes, no more. The builder writes what becomes of them; a load generator sends
an image of that size, `image-client` the file as it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2

from command_line.errors import ModelError

PREFIX = "encoded_image."


@dataclass(frozen=True)
class EncodedImage:
    """What an encoded image becomes: its shape, with channels first or last, and the range of its numbers if scaled."""

    shape: tuple[int, ...]
    dtype: str
    range: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        first, second, third = self.shape
        return (first, second) if third in (1, 3, 4) else (second, third)

    def __str__(self) -> str:
        scaled = {} if self.range is None else {"range": list(self.range)}
        return json.dumps({"shape": list(self.shape), "dtype": self.dtype, **scaled})


def declare(config: model_config_pb2.ModelConfig, images: Mapping[str, EncodedImage]) -> None:
    """Write the encoded images among the inputs, by their names, into the configuration's parameters."""
    for name, image in images.items():
        config.parameters[PREFIX + name].string_value = str(image)


def declared(config: model_config_pb2.ModelConfig) -> dict[str, EncodedImage]:
    """The encoded images that a configuration declares, by input; ModelError for a parameter that describes none."""
    texts = {key: value.string_value for key, value in config.parameters.items() if key.startswith(PREFIX)}
    return {key.removeprefix(PREFIX): _parsed(config.name, key, text) for key, text in texts.items()}


def _parsed(model: str, key: str, text: str) -> EncodedImage:
    try:
        found = json.loads(text)
        shape, ends = tuple(int(size) for size in found["shape"]), found.get("range")
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError
        return EncodedImage(shape, str(found["dtype"]), None if ends is None else (float(ends[0]), float(ends[1])))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        allowed = str(EncodedImage((224, 224, 3), "float32"))
        raise ModelError(f"parameter {key} of model {model!r}: {text!r} is no image, such as {allowed}") from None
