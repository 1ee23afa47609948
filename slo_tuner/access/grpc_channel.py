"""Channels of gRPC's own client to servers that guard themselves, and whether they repeat requests."""

import json

import grpc

from command_line.arguments import bare_address

from . import gevent_grpc  # noqa: F401  readies gRPC for gevent before the first channel
from .addresses import host_of, is_tls
from .client_access import Access
from .retry_policy import SERVICE_CONFIG
from .tls import trusted_pem

Options = tuple[tuple[str, str | int], ...]

_RETRY_BUFFER_BYTES = 64 << 20
"""gRPC sends only requests again that it has kept whole; without this it keeps 256 KiB."""


def channel_credentials(address: str, access: Access) -> grpc.ChannelCredentials | None:
    """The credentials of a channel to a checked address; None for a plain one."""
    if not is_tls(address):
        return None
    shown = (path.read_bytes() if path else None for path in (access.key, access.certificate))
    return grpc.ssl_channel_credentials(trusted_pem(access), *shown)


def access_options(address: str, access: Access, name: str = "") -> Options:
    """Options of a channel: the `name` that the certificate has to be for, and the retry policy where it is followed.

    Without it neither a policy that the name's DNS record has nor one of the library's own repeats a request.
    """
    options: Options = (("grpc.service_config_disable_resolution", 1),)
    if is_tls(address) and name and name != host_of(address):
        options += (("grpc.ssl_target_name_override", name),)
    if access.retries:
        retries = (
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        )
        return (*options, *retries)
    return options


def open_channel(address: str, access: Access, options: Options) -> grpc.Channel:
    """A channel to a checked address."""
    target = address if address.startswith("dns:///") else bare_address(address)
    credentials = channel_credentials(address, access)
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)
