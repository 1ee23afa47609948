"""How prepared requests reach the server: gRPC or HTTP, under gevent, with the least work per request."""

from typing import Protocol

import grpc
from geventhttpclient import HTTPClient

from command_line.arguments import PROTOCOLS, split_address
from command_line.errors import UsageError
from command_line.proxy import channel_options

from .. import gevent_grpc  # noqa: F401  readies gRPC for gevent before the first channel
from .payload import Payloads
from .request_outcome import MOST_TOLD

_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A measurement counts its own connections: channels of one process must not share one.
    ("grpc.use_local_subchannel_pool", 1),
    # Addresses that resolve to several Pods (dns:///headless-service:8001) get requests in turn.
    ("grpc.lb_policy_name", "round_robin"),
)


class Transport(Protocol):
    """Sends a request and waits for its answer."""

    def send(self, turn: int = 0) -> int:
        """Send the request whose turn it is, by its number modulo all; the bytes of the answer.

        RequestError when there is none.
        """

    def close(self) -> None:
        """Close every connection."""


class RequestError(Exception):
    """A request without an answer; the message is a short reason that groups with its like."""


class GrpcTransport:
    """Sends already serialised messages: protobuf is not touched again for each request.

    tritonclient serialises the message anew for every call, which for a 602 kB image costs as much as all the
    rest of it (docs/explanation/measuring.md has the numbers). Its protobuf messages are used to make the bytes once.
    """

    def __init__(self, address: str, payloads: Payloads, timeout_s: float, proxy: bool = False) -> None:
        """`proxy` takes the environment's proxy to any address, not to public ones alone."""
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS + channel_options(address, proxy))
        self._call = self._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        self._bodies = [payload.grpc_body for payload in payloads]
        self._timeout_s = timeout_s

    def send(self, turn: int = 0) -> int:
        try:
            return len(self._call(self._bodies[turn % len(self._bodies)], timeout=self._timeout_s))
        except grpc.RpcError as error:
            raise RequestError(f"{error.code().name}: {(error.details() or '')[:MOST_TOLD]}") from None

    def close(self) -> None:
        self._channel.close()


class HttpTransport:
    """Posts prepared bodies over kept-alive connections, as many as requests are in flight.

    There are at most 900 `connections`: a process may usually have 1,024 open files.
    """

    def __init__(self, address: str, payloads: Payloads, timeout_s: float, connections: int = 900) -> None:
        host, port = split_address(address)
        self._client = HTTPClient(
            host, port, concurrency=connections, connection_timeout=timeout_s, network_timeout=timeout_s
        )
        self._path = f"/v2/models/{payloads[0].model}/infer"
        self._requests = [
            (payload.http_body, {"Inference-Header-Content-Length": str(payload.http_json_bytes)})
            for payload in payloads
        ]

    def send(self, turn: int = 0) -> int:
        try:
            body, headers = self._requests[turn % len(self._requests)]
            response = self._client.post(self._path, body=body, headers=headers)
            content = bytes(response.read())
        except Exception as error:  # sockets, time-outs and the parser each have their own exceptions
            raise RequestError(f"{type(error).__name__}: {error}"[:MOST_TOLD]) from None
        if response.status_code != 200:
            raise RequestError(f"HTTP {response.status_code}: {content.decode(errors='replace')[:MOST_TOLD]}")
        return len(content)

    def close(self) -> None:
        self._client.close()


def open_transport(protocol: str, address: str, payloads: Payloads, timeout_s: float, proxy: bool = False) -> Transport:
    """A transport to `address` (host:port) for `protocol`; `timeout_s` bounds every request.

    `proxy`: through the environment's proxy, also to near addresses. HTTP never takes one.
    """
    if protocol == "grpc":
        return GrpcTransport(address, payloads, timeout_s, proxy)
    if protocol == "http":
        return HttpTransport(address, payloads, timeout_s)
    raise UsageError("protocol", protocol, f"choose one of {', '.join(PROTOCOLS)}")
