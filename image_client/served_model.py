"""What a server says of an image model, and what the model sees: the same over either protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from command_line.errors import ModelError

# What Triton and TensorFlow Serving call bytes.
TEXTS = ("BYTES", "DT_STRING")


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its shape with the batch dimension; -1 is open. `dtype` is Triton's name, as FP32."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ImageModel:
    """A model with one image as its input, uint8 or float with values of 0 to 255, and scores of classes as output."""

    name: str
    image: TensorInfo
    scores: TensorInfo

    @property
    def is_encoded(self) -> bool:
        """Whether it takes the bytes of a file, and decodes them itself."""
        return self.image.dtype in TEXTS

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of its images; None where it takes any, as files."""
        return None if self.is_encoded else (self.image.shape[1], self.image.shape[2])


@dataclass(frozen=True)
class Prediction:
    """A class and its score; the label is empty where nobody gave one."""

    score: float
    index: int
    label: str


class ServedModel(Protocol):
    """A model behind a protocol. Every failure is a SloTunerError of one line."""

    def describe(self) -> ImageModel:
        """The model's input and output; ModelError when it takes no image."""

    def predict(self, model: ImageModel, image: Any, top: int) -> list[Prediction]:
        """The best classes for pixels uint8 [height, width, 3], or the bytes of a file; the best first."""

    def close(self) -> None:
        """Close the connection."""


def image_model(name: str, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> ImageModel:
    """The model with these tensors; ModelError unless it takes one batch of RGB images of known size."""
    if len(inputs) != 1 or not (_takes_pixels(inputs[0]) or _takes_files(inputs[0])):
        taken = ", ".join(f"{one.name} {list(one.shape)}" for one in inputs)
        raise ModelError(
            f"model {name!r} takes {taken}, not one batch of images [-1, height, width, 3], or of files [-1]"
        )
    if len(outputs) != 1:
        raise ModelError(f"model {name!r} gives {', '.join(one.name for one in outputs)}, not one tensor of scores")
    return ImageModel(name, inputs[0], outputs[0])


def _takes_pixels(tensor: TensorInfo) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] == 3 and min(tensor.shape[1:]) > 0


def _takes_files(tensor: TensorInfo) -> bool:
    return tensor.dtype in TEXTS and tensor.shape in ((-1,), (-1, 1))
