"""Checks of what users type: addresses, protocols, numbers, shapes, output folders."""

import socket
from ipaddress import IPv6Address, ip_address

from command_line.errors import UsageError

PROTOCOLS = ("grpc", "http")
"""The protocols that requests can take."""


def check_address(field: str, text: str, protocol: str = "grpc") -> str:
    """`host:port`, an IPv6 address in brackets, for gRPC optionally with `dns:///` before it; UsageError otherwise."""
    if protocol != "grpc" and text.startswith("dns:///"):
        raise UsageError(field, text, f"dns:/// is for gRPC alone; for {protocol} write it as host:port")
    if "@" in text:
        raise UsageError(field, "(not shown)", "an address has no user and no password: host:port")
    host, separator, port = text.removeprefix("dns:///").rpartition(":")
    if not separator or not host or "/" in host or not 0 < (digits(port) or 0) < 65536:
        raise UsageError(field, text, "write it as host:port, such as localhost:8001 or [::1]:8001")
    if not is_host_name(host):
        raise UsageError(field, text, "its host is no name or address, such as localhost, 127.0.0.1 or [::1]")
    if ":" in host or "[" in host or "]" in host:
        try:
            IPv6Address(host.removeprefix("[").removesuffix("]") if host[0] + host[-1] == "[]" else "")
        except ValueError:
            raise UsageError(field, text, "write an IPv6 address in brackets, such as [::1]:8001") from None
    return text


def is_host_name(text: str) -> bool:
    """Whether a resolver can be asked for it: it has no blanks, and no part of it is empty or too long (RFC 1035)."""
    try:
        # What the standard library does before it asks; it raises where a resolver would say that there is none.
        text.encode("idna")
    except UnicodeError:
        return False
    return bool(text) and text.isprintable() and " " not in text


def bare_address(address: str) -> str:
    """`host:port` of an address, without `dns:///` or a scheme before it."""
    return address.removeprefix("dns:///").rpartition("://")[2]


def split_address(address: str) -> tuple[str, int]:
    """The parts of `host:port`, whatever scheme stands before them; an IPv6 address without its brackets."""
    host, _, port = bare_address(address).rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def check_listening(field: str, text: str) -> tuple[str, int]:
    """An address of this machine and a free port of it, `*` for all addresses; UsageError when nothing can listen."""
    host, port = split_address(check_address(field, text))
    try:
        ip = ip_address("0.0.0.0" if host == "*" else host)
    except ValueError:
        raise UsageError(field, text, "write an IP address of this machine, or * for all, as in *:5557") from None
    with socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(ip), port))
        except OSError as error:
            raise UsageError(field, text, f"nothing can listen there ({error.strerror})") from None
    return host, port


def default_control_address(address: str, protocol: str) -> str:
    """Where the server is asked over gRPC: where the load goes, or port 8001 beside an HTTP address."""
    if protocol == "grpc" or not address:
        return address
    return ",".join(f"{part.rpartition(':')[0]}:8001" for part in address.split(","))


def check_protocol(field: str, text: str) -> str:
    """`grpc` or `http`."""
    if text not in PROTOCOLS:
        raise UsageError(field, text, f"choose one of {', '.join(PROTOCOLS)}")
    return text


def positive(field: str, text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise UsageError(field, text, "give a number above 0 and below 1000000000")
    return value


def not_negative(field: str, text: str) -> float:
    """A finite number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise UsageError(field, text, "give a number, 0 or above")
    return value


def whole(field: str, text: str, most: int = 1000) -> int:
    """A whole number from 1 to `most`."""
    number = digits(text)
    if number is None or not 1 <= number <= most:
        raise UsageError(field, text, f"give a whole number from 1 to {most}")
    return number


def port(field: str, text: str) -> int:
    """A port to listen on, 0 for a free one."""
    number = digits(text)
    if number is None or number > 65535:
        raise UsageError(field, text, "give a port from 1 to 65535, or 0 to pick a free one")
    return number


def digits(text: str) -> int | None:
    """A whole number that is written in digits alone; None for anything else, and for more digits than Python reads."""
    return int(text) if text.isdecimal() and len(text) <= 20 else None


def parse_shape(text: str) -> tuple[str, list[int]]:
    """`INPUT:128,3` as a name and its dimensions without the batch."""
    name, separator, dims = text.rpartition(":")
    parts = dims.split(",")
    if not separator or not name or not all(digits(part) for part in parts):
        raise UsageError("shape", text, "write it as INPUT:128,3, without the batch dimension")
    return name, [int(part) for part in parts]
