"""Images as binary tensors over Triton's gRPC; scores and labels by its classification extension."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from command_line.errors import ModelError, ServerError
from command_line.proxy import channel_options

from .served_model import ImageModel, Prediction, TensorInfo, image_model


class GrpcModel:
    """A model of a Triton server, which knows its labels where the model has any."""

    def __init__(self, address: str, model: str, timeout_s: float) -> None:
        self._address, self._model, self._timeout_s = address, model, timeout_s
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._client = triton.InferenceServerClient(address, channel_args=[*options, *channel_options(address)])

    def describe(self) -> ImageModel:
        """The model's inputs and outputs."""
        metadata = self._asked(lambda: self._client.get_model_metadata(self._model, client_timeout=self._timeout_s))
        inputs, outputs = (
            [TensorInfo(one.name, one.datatype, tuple(one.shape)) for one in side]
            for side in (metadata.inputs, metadata.outputs)
        )
        return image_model(self._model, inputs, outputs)

    def predict(self, model: ImageModel, image: Any, top: int) -> list[Prediction]:
        """The best classes, as the server sorts them."""
        batch = _batch(model.image, image)
        sent = triton.InferInput(model.image.name, list(batch.shape), model.image.dtype)
        sent.set_data_from_numpy(batch)
        scores = triton.InferRequestedOutput(model.scores.name, class_count=top)
        answer = self._asked(
            lambda: self._client.infer(self._model, [sent], outputs=[scores], client_timeout=self._timeout_s)
        )
        classes = answer.as_numpy(model.scores.name)
        if classes is None or classes.dtype != np.object_:
            raise ModelError(f"model {self._model!r}: the server at {self._address} names no classes of its scores")
        return [_prediction(entry.decode(errors="replace")) for entry in classes.reshape(-1)]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _asked(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except InferenceServerException as error:
            message = " ".join(str(error.message()).split())[:300]
            if error.status() == "StatusCode.UNAVAILABLE":
                raise ServerError(f"no Triton server answers gRPC at {self._address}: {message}") from None
            raise ModelError(f"model {self._model!r}: {message}") from None


def _batch(tensor: TensorInfo, image: Any) -> Any:
    """A batch of one: of pixels, or of a file's bytes in the shape that the server asks for."""
    if isinstance(image, bytes):
        return np.full([1, *tensor.shape[1:]], image, np.object_)
    return image[None].astype(triton_to_np_dtype(tensor.dtype))


def _prediction(entry: str) -> Prediction:
    """`score:index` or `score:index:label`."""
    score, index, *label = entry.split(":", 2)
    return Prediction(float(score), int(index), label[0] if label else "")
