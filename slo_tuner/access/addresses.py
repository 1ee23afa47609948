"""Addresses of servers, each with whether it is behind TLS: `host:port`, `grpcs://host:port` or `https://host:port`."""

import argparse
from collections.abc import Iterable
from urllib.parse import urlsplit

from command_line.arguments import bare_address, check_address, check_protocol, default_control_address, split_address
from command_line.errors import UsageError
from command_line.proxy import is_near

from .client_access import Access

_SCHEMES = {"grpc": ("grpc", "grpcs"), "http": ("http", "https")}
_PORTS = {"grpcs": 443, "https": 443, "http": 80}


def is_tls(address: str) -> bool:
    """Whether a checked address is behind TLS."""
    return address.startswith(("grpcs://", "https://"))


def scheme_of(address: str) -> str:
    """What stands before the host of a checked address, empty for a plain one: `grpcs://`."""
    return f"{address.partition('://')[0]}://" if is_tls(address) else ""


def host_of(address: str) -> str:
    """The host of an address."""
    return split_address(address)[0]


def read_protocol(asked: str | None, addresses: Iterable[str | None], field: str = "protocol") -> str:
    """The protocol that was asked for; else that of the first address that says one, or gRPC."""
    if asked is not None:
        return check_protocol(field, asked)
    web = any(address and address.strip().startswith(("http://", "https://")) for address in addresses)
    return "http" if web else "grpc"


def check_server(field: str, text: str, protocol: str, tls: bool = False) -> str:
    """An address, plain ones as they are, others with their scheme; `tls`: those without a scheme are behind TLS.

    UsageError for what is none, or has the scheme of the other protocol.
    """
    plain, secure = _SCHEMES[protocol]
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "dns":
        checked = check_address(field, text, protocol)
        return f"{secure}://{bare_address(checked)}" if tls else checked
    if scheme not in (plain, secure):
        shown = "(not shown)" if "@" in text else text
        raise UsageError(field, shown, f"for {protocol} write it as host:port, or {secure}://host:port for TLS")
    rest = rest.removesuffix("/")
    if scheme in _PORTS and (":" not in rest or rest.endswith("]")):
        rest = f"{rest}:{_PORTS[scheme]}"
    checked = check_address(field, rest, protocol)
    return f"{secure}://{checked}" if scheme == secure else checked


def check_servers(field: str, text: str, protocol: str, tls: bool = False) -> str:
    """Different addresses, separated by commas, each as `check_server` wants it."""
    parts = [check_server(field, part.strip(), protocol, tls) for part in text.split(",")]
    if len({bare_address(part) for part in parts}) != len(parts):
        raise UsageError(field, text, "give each server once")
    return ",".join(parts)


def default_control(address: str, protocol: str) -> str:
    """Where the server is asked over gRPC, if nobody said: where the load goes, or port 8001 beside an HTTP address.

    Triton's own HTTP has no TLS, so HTTP behind TLS is that of a gateway, which serves both at one port.
    """
    parts = [
        part.replace("https://", "grpcs://") if is_tls(part) else default_control_address(part, protocol)
        for part in address.split(",")
    ]
    return ",".join(parts)


def check_use(access: Access, addresses: Iterable[str], options: argparse.Namespace | None = None) -> None:
    """UsageError for options of TLS where no address is behind it, and for a token that anybody could read on its way.

    `addresses` are those of the load, of questions and orders, and URLs of metrics.
    """
    known = [address for address in addresses if address]
    secure = any(is_tls(address) for address in known)
    for name, value in (("ca", access.ca), ("client-certificate", access.certificate)):
        # What stands in the environment may be meant for another command.
        if value and not secure and getattr(options, name.replace("-", "_"), None):
            raise UsageError(name, str(value), "no address is behind TLS: add --tls, or write grpcs:// or https://")
    if not (access.token_file or access.token_value):
        return
    for address in known:
        if "/" not in bare_address(address) and not is_tls(address) and not is_near(host_of(address)):
            raise UsageError("address", address, "a token would cross the network readable: add --tls")


def may_show(access: Access, url: str) -> bool:
    """Whether headers and token are sent to a URL of metrics: behind TLS, and on this machine or network."""
    parts = urlsplit(url)
    return bool(access.proofs) and (parts.scheme == "https" or is_near(parts.hostname or ""))
