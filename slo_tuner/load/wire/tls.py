"""TLS of one connection in memory: sealed bytes go in and out, sockets are the connection's own business.

OpenSSL on a socket would make a system call for each record of 16 KiB; from memory all of a request goes out in one.
"""

import errno
import ssl
from collections.abc import Callable, Sequence

from ...access.client_access import Access
from ...access.reasons import NO_HTTP_2, TlsError, ended_reason, tls_reason
from ...access.tls import HTTP_2, make_context


class Seal:
    """One connection's TLS; every failure is a TlsError."""

    def __init__(self, context: ssl.SSLContext, name: str, access: Access, protocol: str) -> None:
        """The server's certificate has to be for `name`."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._name, self._access, self._protocol = name, access, protocol
        self.established = self._opened = False

    def take(self, sealed: memoryview) -> None:
        """Take in what has come from the server; nothing: it sends no more."""
        if sealed:
            self._incoming.write(sealed)
        else:
            self._incoming.write_eof()

    def waiting(self) -> bytes:
        """What TLS itself has to send to the server."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake as far as the server has answered; whether it is over."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except OSError as error:
            raise TlsError(tls_reason(error, self._name, self._access)) from None
        if self._protocol == HTTP_2 and self._tls.selected_alpn_protocol() != HTTP_2:
            raise TlsError(NO_HTTP_2)
        self.established = True
        return True

    def open_into(self, room: memoryview) -> int:
        """What the server has sent, opened, as far as there is room; 0: no more has come yet."""
        try:
            count = int(self._tls.read(len(room), room))  # type: ignore[arg-type]
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        except OSError as error:
            raise TlsError(tls_reason(error, self._name, self._access)) from None
        self._opened = self._opened or count > 0
        return count

    def end(self) -> OSError:
        """What it means that the server has closed the connection."""
        if self._opened or not self.established:
            return ConnectionResetError(errno.ECONNRESET, "the server closed the connection")
        return TlsError(ended_reason(self._access))

    def sealed(self, parts: Sequence[bytes | memoryview]) -> bytes:
        """The parts as they go over the wire, joined: each would be a record of its own."""
        content = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
        done = 0
        while done < len(content):
            done += self._tls.write(content[done:])
        return self._outgoing.read()


MakeSeal = Callable[[], Seal]


def sealing(access: Access, name: str, protocol: str) -> MakeSeal:
    """Makes the TLS of each new connection to a server; its context is made now."""
    context = make_context(access, protocol)
    return lambda: Seal(context, name, access, protocol)
