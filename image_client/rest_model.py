"""Images as JSON over TensorFlow Serving's REST API."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import numpy as np
import urllib3

from command_line.errors import ModelError, ServerError

from .served_model import ImageModel, Prediction, TensorInfo, image_model


class RestModel:
    """A model of a TensorFlow Serving server, or of `tfserving-front`. Its labels come from the caller."""

    def __init__(self, address: str, model: str, timeout_s: float, labels: tuple[str, ...]) -> None:
        self._url = f"http://{address}/v1/models/{quote(model, safe='')}"
        self._address, self._model = address, model
        self._labels = labels
        self._http = urllib3.PoolManager(timeout=timeout_s, retries=False)

    def describe(self) -> ImageModel:
        """The model's default signature."""
        document = self._asked("GET", "/metadata")
        with self._read("metadata with a signature"):
            signatures = document["metadata"]["signature_def"]["signature_def"]
            signature: Any = signatures.get("serving_default") or next(iter(signatures.values()), None)
            inputs, outputs = (_tensors(signature[side]) for side in ("inputs", "outputs"))
        return image_model(self._model, inputs, outputs)

    def predict(self, model: ImageModel, image: Any, top: int) -> list[Prediction]:
        """The best classes by the scores in the answer."""
        answer = self._asked("POST", ":predict", request_body(image))
        with self._read("predictions of numbers"):
            scores = np.asarray(answer["predictions"][0], np.float64).reshape(-1)
        best = np.argsort(-scores, kind="stable")[:top]
        return [Prediction(float(scores[index]), int(index), self._label(int(index))) for index in best]

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def _label(self, index: int) -> str:
        return self._labels[index] if index < len(self._labels) else ""

    def _asked(self, method: str, path: str, body: str | None = None) -> Any:
        try:
            # An image goes to nobody but the server that was named.
            answer = self._http.request(method, self._url + path, body=body, redirect=False)
            document = json.loads(answer.data)
        except urllib3.exceptions.HTTPError as error:
            # It begins with the object that failed.
            reason = " ".join(str(error).rpartition(">: ")[2].split())[-200:]
            raise ServerError(f"no server answers REST at {self._address}: {reason}") from None
        except ValueError:
            raise ServerError(f"what answers at {self._address} is no TensorFlow Serving: {answer.status}") from None
        if answer.status != 200:
            reason = document.get("error", document) if isinstance(document, dict) else document
            raise ModelError(f"model {self._model!r}: {answer.status}: {' '.join(str(reason).split())[:300]}")
        return document

    @contextmanager
    def _read(self, wanted: str) -> Iterator[None]:
        """ServerError where an answer does not have what TensorFlow Serving's has."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError):
            raise ServerError(
                f"what answers at {self._address} is no TensorFlow Serving: it gives no {wanted}"
            ) from None


def request_body(image: Any) -> str:
    """The JSON of a predict request for one image: whole numbers, which float inputs take too, or a file in Base64."""
    is_file = isinstance(image, bytes)
    instance = {"b64": base64.b64encode(image).decode()} if is_file else image.tolist()
    return json.dumps({"instances": [instance]}, separators=(",", ":"))


def _tensors(infos: dict[str, Any]) -> list[TensorInfo]:
    return [
        TensorInfo(name, info["dtype"], tuple(int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])))
        for name, info in infos.items()
    ]
