"""Finds out what is wrong between a client and a server that it can't talk to: TLS or not, which certificate."""

import socket
import ssl
from contextlib import suppress

from command_line.arguments import split_address
from command_line.errors import ServerError

from .addresses import is_tls
from .client_access import Access
from .reasons import NO_HTTP_2, SPEAKS_TLS, ended_reason, tls_reason
from .tls import HTTP_1, HTTP_2, make_context, trusting_all

_WAIT_S = 3.0
_ALERT_S = 0.5
"""How long a server of TLS 1.3 gets to say that it misses a client certificate: after the handshake is over."""


def diagnosis(address: str, name: str, access: Access) -> str:
    """What TLS has to do with a checked address that does not answer; empty: nothing, or the address is no server's.

    `name` is what the server's certificate has to be for. Nothing but a handshake is sent.
    """
    try:
        plain = socket.create_connection(split_address(address), timeout=_WAIT_S)
    except OSError:
        return ""
    with plain:
        return _behind_tls(plain, address, name, access) if is_tls(address) else _plain(plain)


def _behind_tls(plain: socket.socket, address: str, name: str, access: Access) -> str:
    protocol = HTTP_2 if address.startswith("grpcs://") else HTTP_1
    try:
        with make_context(access, protocol).wrap_socket(plain, server_hostname=name) as connection:
            if protocol == HTTP_2 and connection.selected_alpn_protocol() != HTTP_2:
                return NO_HTTP_2
            connection.settimeout(_ALERT_S)
            with suppress(TimeoutError):
                return "" if _said_something(connection) else ended_reason(access)
    except ServerError as error:
        return str(error)
    except OSError as error:
        return "" if isinstance(error, TimeoutError) else tls_reason(error, name, access)
    return ""


def _said_something(connection: socket.socket) -> bool:
    """Whether the server goes on with the connection; TimeoutError where it waits."""
    try:
        return bool(connection.recv(1))
    except ConnectionResetError:
        return False


def _plain(plain: socket.socket) -> str:
    try:
        trusting_all().wrap_socket(plain, server_hostname="localhost").close()
    except ssl.SSLError as error:
        # Only who speaks TLS sends an alert.
        return SPEAKS_TLS if "_ALERT_" in (error.reason or "") else ""
    except OSError:
        return ""
    return SPEAKS_TLS
