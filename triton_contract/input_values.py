"""Which values a model's integer inputs may hold: a parameter of its config.pbtxt, which a load generator asks for.

A shape does not say that token numbers end with the vocabulary, or that a mask is 0 or 1. Triton gives a model's
parameters to every client, so a server at the other end of a network tells it, too. The builder writes them, and the
load generator draws from them; models without them get what they always got.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2

from command_line.errors import ModelError

from . import encoded_image
from .encoded_image import EncodedImage

PREFIX = "request_values."
_RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})")


@dataclass(frozen=True)
class Values:
    """The least and the largest value that a generated request holds."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least}..{self.most}"


def declare(config: model_config_pb2.ModelConfig, values: Mapping[str, Values]) -> None:
    """Write the values of inputs, by their names, into the configuration's parameters."""
    for name, allowed in values.items():
        config.parameters[PREFIX + name].string_value = str(allowed)


def declared(config: model_config_pb2.ModelConfig) -> dict[str, Values | EncodedImage]:
    """The values that a configuration declares, by input, and the encoded images among them.

    ModelError for a parameter that is no range, or describes no image.
    """
    texts = {key: value.string_value for key, value in config.parameters.items() if key.startswith(PREFIX)}
    ranges = {key.removeprefix(PREFIX): _parsed(config.name, key, text) for key, text in texts.items()}
    return {**ranges, **encoded_image.declared(config)}


def _parsed(model: str, key: str, text: str) -> Values:
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise ModelError(f"parameter {key} of model {model!r}: {text!r} is not LEAST..MOST, such as 0..30521")
    return Values(int(match[1]), int(match[2]))
