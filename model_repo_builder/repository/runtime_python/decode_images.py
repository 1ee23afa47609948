"""The part of a generated model.py that takes encoded images, and gives the artefact the pixels that it takes."""

import io
import json
from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from model_repo_builder.examples.image_pixels import arranged, decode, fit, scaled, size_of


class Decoder:
    """Decodes, resizes and scales the images of a request, as the parameter of config.pbtxt says."""

    def __init__(self, described: str) -> None:
        target = json.loads(described)
        self.shape, self.dtype = tuple(target["shape"]), target["dtype"]
        # Least and largest number; None: pixels stay 0 to 255.
        self.range = target.get("range")

    def __call__(self, encoded: Any) -> Any:
        """Files [n] or [n, 1] as images [n, *shape]; ValueError names the first that is none."""
        files = encoded.reshape(-1)
        images = numpy.empty((len(files), *self.shape), self.dtype)
        for row, content in enumerate(files):
            images[row] = self.one(row, content)
        return images

    def one(self, row: int, content: Any) -> Any:
        """One file as an image."""
        if not isinstance(content, bytes):
            content = str(content).encode()
        try:
            pixels = fit(decode(io.BytesIO(content)), size_of(self.shape))
        except ValueError as error:
            raise ValueError(f"image {row} of the request: {len(content)} bytes that are no image ({error})") from None
        image = arranged(pixels[None], self.shape)[0]
        if self.range is None:
            return image
        least, most = self.range
        return scaled(image, least, most, self.dtype)

    def blank(self) -> Any:
        """A black image in a batch of one: what a model is warmed up with."""
        return numpy.zeros((1, *self.shape), self.dtype)
