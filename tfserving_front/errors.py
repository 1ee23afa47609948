"""Errors as TensorFlow Serving answers them: a message and an HTTP status."""

import grpc
from tritonclient.utils import InferenceServerException

# As ToHTTPStatusCode of TensorFlow Serving's http_server.cc; every other code is 500.
_HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_NO_REQUEST_ID = "[request id: <id_unknown>] "
_STATUS_OF_NAME = {str(code): status for code, status in _HTTP_STATUS.items()}


class RestError(Exception):
    """A request that can't be answered; the message goes into the body's `error`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class BadRequestError(RestError):
    """A request that is wrong in itself."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def from_triton(error: InferenceServerException, model: str, version: str) -> RestError:
    """What TensorFlow Serving would answer where Triton, or the way to it, failed with `error`."""
    message = " ".join(str(error.message()).split()).removeprefix(_NO_REQUEST_ID)
    status = _STATUS_OF_NAME.get(str(error.status()), 500)
    # Triton's words where TensorFlow Serving has no servable; for a version that still loads it says "unavailable".
    if status == 404 or message.startswith("Request for unknown model"):
        wanted = f"Specific({model}, {version})" if version else f"Latest({model})"
        return RestError(404, f"Servable not found for request: {wanted}")
    return RestError(status, message)
