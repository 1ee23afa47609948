"""Errors as TensorFlow Serving answers them: a message and an HTTP status."""

import logging
import re

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
# When a client may come again that was refused because others were first.
RETRY_S = 1
_NO_REQUEST_ID = "[request id: <id_unknown>] "
_STATUS_OF_NAME = {str(code): status for code, status in _HTTP_STATUS.items()}
# gRPC's words for an answer beyond the channel's limit, with its size.
_TOO_LARGE = re.compile(r"Received message larger than max \((\d+) vs\. \d+\)")
# Where Python's stack begins in the message of a model that failed.
_STACK = re.compile(r"\s+(?:At:|Traceback \(most recent call last\):)\s.*", re.DOTALL)
# A path or an address from its beginning. Its last part stays, as it often says which file is meant.
_PART = r"/([^/\s'\"()\[\]{},;:]+)"
_PATH = re.compile(rf"(?<![\w./])(?:[a-z][a-z0-9+.-]*:/)?(?:{_PART})*{_PART}", re.IGNORECASE)
_log = logging.getLogger("tfserving_front")


class RestError(Exception):
    """A request that can't be answered; the message goes into the body's `error`. `retry_s`: when to come again."""

    def __init__(self, status: int, message: str, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_s = status, message, retry_s

    def again(self) -> "RestError":
        """The same error without the frames that it came through: they hold arrays, and with a task make a cycle."""
        return RestError(self.status, self.message, self.retry_s)


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
    if status == 500:
        _log.error("model %s: %s", model, message)
    return RestError(status, for_clients(message), RETRY_S if status in (429, 503) else None)


def for_clients(message: str) -> str:
    """A message of the server without Python's stack and without the folders of its files."""
    return _PATH.sub(r"\2", _STACK.sub("", message))


def size_of_too_large(error: InferenceServerException) -> int | None:
    """The bytes of an answer that was larger than the channel's limit; None for another failure."""
    found = _TOO_LARGE.search(str(error.message()))
    return int(found[1]) if found else None
