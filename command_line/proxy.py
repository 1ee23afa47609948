"""Whether gRPC goes through a proxy: never to this machine or the cluster, elsewhere as the environment says.

Of all that the project opens, only gRPC looks for a proxy by itself: urllib3's PoolManager and geventhttpclient take
the one that they are given, and are given none.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping

from .arguments import split_address

# What the gRPC core reads, in its order; it knows neither all_proxy nor names in capitals (grpc, http_proxy_mapper.cc).
_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
_OPTION = "grpc.enable_http_proxy"


def channel_options(address: str, asked: bool = False) -> tuple[tuple[str, int], ...]:
    """Options of a gRPC channel to `address`, `host:port` or `dns:///host:port`: with a proxy or without one.

    `asked` allows it for near addresses, too.
    """
    return ((_OPTION, int(bool(proxy_for(address, asked)))),)


def proxy_for(address: str, asked: bool = False, environment: Mapping[str, str] | None = None) -> str:
    """The proxy that gRPC takes to an address, as host:port without credentials; empty for none."""
    known = os.environ if environment is None else environment
    url = next((known[name] for name in _VARIABLES if known.get(name)), "")
    if not url.startswith("http://"):
        return ""
    host, _ = split_address(address.removeprefix("dns:///"))
    exceptions = next((known[name] for name in _EXCEPTIONS if known.get(name)), "")
    if _is_excepted(host, exceptions) or not (asked or not is_near(host)):
        return ""
    return url.removeprefix("http://").rpartition("@")[2].rstrip("/")


def is_near(host: str) -> bool:
    """Whether a host is this machine, or one of a cluster or private network: by its name, or by all its addresses."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
    if "." not in name or name.endswith((".localhost", ".svc", ".local", ".internal")) or ".svc." in name:
        return True
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # only the proxy may know it
    return all(not ipaddress.ip_address(entry[4][0]).is_global for entry in found)


def _is_excepted(host: str, exceptions: str) -> bool:
    """Whether no_proxy names the host: by a suffix of its name, or a range of addresses."""
    for entry in filter(None, (part.strip() for part in exceptions.split(","))):
        if host.endswith(entry):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False
