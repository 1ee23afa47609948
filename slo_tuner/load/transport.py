"""How prepared requests reach the server: gRPC or HTTP, under gevent, with the least work per request."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from geventhttpclient import HTTPClient

from command_line.arguments import PROTOCOLS, split_address
from command_line.errors import UsageError
from command_line.proxy import channel_options

from ..access.addresses import host_of, is_tls
from ..access.client_access import Access
from ..access.grpc_channel import access_options, open_channel
from ..access.tls import make_context
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


@dataclass(frozen=True)
class Target:
    """Where requests go, and how: `timeout_s` bounds each; `server_name` is whom its certificate has to be for.

    `proxy`: through the environment's proxy, also to near addresses. HTTP never takes one.
    """

    address: str
    timeout_s: float
    server_name: str = ""
    access: Access = field(default_factory=Access)
    proxy: bool = False


class RequestError(Exception):
    """A request without an answer; the message is a short reason that groups with its like."""


class GrpcTransport:
    """Sends already serialised messages: protobuf is not touched again for each request.

    tritonclient serialises the message anew for every call, which for a 602 kB image costs as much as all the
    rest of it (docs/explanation/measuring.md has the numbers). Its protobuf messages are used to make the bytes once.
    """

    def __init__(self, target: Target, payloads: Payloads) -> None:
        """The requests go to one address, which may be a name of several servers."""
        address, access = target.address, target.access
        options = channel_options(address, target.proxy) + access_options(address, access, target.server_name)
        self._channel = open_channel(address, access, _CHANNEL_OPTIONS + options)
        self._call = self._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        self._bodies = [payload.grpc_body for payload in payloads]
        self._timeout_s, self._fields = target.timeout_s, access.fields()

    def send(self, turn: int = 0) -> int:
        body = self._bodies[turn % len(self._bodies)]
        try:
            return len(self._call(body, timeout=self._timeout_s, metadata=self._fields))
        except grpc.RpcError as error:
            raise RequestError(f"{error.code().name}: {(error.details() or '')[:MOST_TOLD]}") from None

    def close(self) -> None:
        self._channel.close()


class HttpTransport:
    """Posts prepared bodies over kept-alive connections, as many as requests are in flight.

    There are at most 900 `connections`: a process may usually have 1,024 open files.
    """

    def __init__(self, target: Target, payloads: Payloads, connections: int = 900) -> None:
        host, port = split_address(target.address)
        self._client = HTTPClient(
            host,
            port,
            concurrency=connections,
            connection_timeout=target.timeout_s,
            network_timeout=target.timeout_s,
            **_tls_of(target),
        )
        self._path = f"/v2/models/{payloads[0].model}/infer"
        fields = dict(target.access.fields())
        if is_tls(target.address) and target.server_name not in ("", host):
            fields["Host"] = target.server_name
        self._requests = [
            (payload.http_body, {"Inference-Header-Content-Length": str(payload.http_json_bytes), **fields})
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


def _tls_of(target: Target) -> dict[str, Any]:
    if not is_tls(target.address):
        return {}
    context = make_context(target.access)
    name = target.server_name or host_of(target.address)
    return {"ssl": True, "ssl_options": {"server_hostname": name}, "ssl_context_factory": lambda cafile=None: context}


def open_transport(protocol: str, target: Target, payloads: Payloads) -> Transport:
    """A transport for `protocol`, `grpc` or `http`."""
    if protocol == "grpc":
        return GrpcTransport(target, payloads)
    if protocol == "http":
        return HttpTransport(target, payloads)
    raise UsageError("protocol", protocol, f"choose one of {', '.join(PROTOCOLS)}")
