"""How an answer of gRPC ended, in the words that its own clients use."""

import grpc

from ..request_outcome import MOST_TOLD
from .header_block import Answer

_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
# What an answer of HTTP without a status of gRPC, and an ended stream, mean (gRPC's documentation:
# http-grpc-status-mapping.md, PROTOCOL-HTTP2.md).
_OF_HTTP = {400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED"} | dict.fromkeys(
    (429, 502, 503, 504), "UNAVAILABLE"
)
_OF_RESET = {7: "UNAVAILABLE", 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED"}


def verdict(answer: Answer) -> str:
    """Why an answer is none; empty for one."""
    if answer.grpc_status == 0:
        return ""
    if answer.grpc_status in _NAMES:
        return f"{_NAMES[answer.grpc_status]}: {answer.message[:MOST_TOLD]}"
    if answer.http_status != 200:
        name = _OF_HTTP.get(answer.http_status, "UNKNOWN")
        return f"{name}: the answer is HTTP {answer.http_status} without a status of gRPC"
    return "UNKNOWN: the answer has no status of gRPC"


def reset_reason(code: int) -> str:
    """Why there is no answer on a stream that the server has reset with this error code of HTTP/2."""
    return f"{_OF_RESET.get(code, 'INTERNAL')}: the server reset the stream with error {code}"
