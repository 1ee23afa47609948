"""A name that stands for several servers: what it resolves to, one address for each of them."""

import ipaddress
import socket
from urllib.parse import urlsplit

from command_line.arguments import split_address

from ..access.addresses import scheme_of


def each_address(address: str) -> tuple[str, ...]:
    """`host:port` of each server that an address stands for; an address that is none or one server stays as it is.

    Of a host with addresses of IPv4 and of IPv6 those of the kind that is found first count: they are the same servers.
    """
    host, port = split_address(address)
    found = _resolved(host)
    return tuple(f"{scheme_of(address)}{one}:{port}" for one in found) if len(found) > 1 else (address,)


def each_url(url: str) -> tuple[str, ...]:
    """The URL at each server that its host stands for."""
    parts = urlsplit(url)
    found = _resolved(parts.hostname or "")
    if len(found) < 2:
        return (url,)
    port = f":{parts.port}" if parts.port is not None else ""
    return tuple(parts._replace(netloc=f"{one}{port}").geturl() for one in found)


def _resolved(host: str) -> list[str]:
    """The addresses of a name, IPv6 in brackets, sorted so that every look finds the same order; none of an address."""
    if host == "localhost" or host.endswith(".localhost"):
        return []
    try:
        ipaddress.ip_address(host)
        return []
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    family = found[0][0]
    addresses = sorted({str(entry[4][0]) for entry in found if entry[0] == family})
    return [f"[{one}]" if ":" in one else one for one in addresses]
