"""Connections that never block, over TCP or TLS, and the poller that tells them when they can go on."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from socket import IPPROTO_TCP, SO_ERROR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY
from socket import socket as socket_type
from typing import Any

from gevent.monkey import get_original

from ...access.reasons import TlsError
from .tls import MakeSeal

# The loop has a thread of its own, in which gevent's sockets would look for a hub of their own.
_Socket: type[socket_type] = get_original("socket", "socket")
_epoll = get_original("select", "epoll")
_select = get_original("select", "select")

_BUFFER_BYTES = 1 << 18
_MOST_PARTS = 512  # of one sendmsg; Linux takes 1,024
_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
_MOST_SELECTED = 1024  # select(2) takes file descriptors below it

Place = tuple[int, Any]
"""An address family and an address of it, as getaddrinfo finds them."""
Part = bytes | memoryview


class Poller:
    """Waits for many connections at once; all of them share its buffer."""

    def __init__(self) -> None:
        self._epoll = _epoll()
        self._connections: dict[int, Connection] = {}
        self.buffer, sealed = bytearray(_BUFFER_BYTES), bytearray(_BUFFER_BYTES)
        self.view, self.sealed = memoryview(self.buffer), memoryview(sealed)

    def add(self, number: int, connection: "Connection") -> None:
        """Tell `connection` from now on what happens to its socket, by the socket's number."""
        self._connections[number] = connection
        self._epoll.register(number, _EVENTS)

    def remove(self, number: int) -> None:
        """Tell nothing more of it; the socket is about to be closed."""
        del self._connections[number]
        self._epoll.unregister(number)

    def wait(self, seconds: float) -> None:
        """Let connections go on with what has happened; if nothing has, wait for it for so long at most.

        epoll waits for whole milliseconds, select for microseconds: so select waits, for epoll.
        """
        number = self._epoll.fileno()
        if seconds > 0 and number < _MOST_SELECTED:
            _select((number,), (), (), seconds)
            seconds = 0.0
        for ready, events in self._epoll.poll(max(0.0, seconds), 256):
            connection = self._connections.get(ready)
            if connection is not None:
                connection.happened(events)

    def close(self) -> None:
        """Wait for nothing more."""
        self._epoll.close()


class Connection(ABC):
    """A connection to the first of `places` that takes it. What can't be sent yet waits in it, in order.

    With a seal it is `connected` when the handshake is over; what is written before waits unsealed.
    """

    def __init__(self, poller: Poller, places: Sequence[Place], make_seal: MakeSeal | None = None) -> None:
        self._poller, self._places = poller, list(places)
        self._socket: socket_type | None = None
        self._seal = make_seal() if make_seal is not None else None
        self._unsent: list[Part] = []
        self._unsealed: list[Part] = []
        self._kept = b""
        self._why = OSError(errno.EADDRNOTAVAIL, "the name has no address")
        self.connected = self.closed = self._reached = False
        self._full = True  # it takes nothing yet

    def open(self) -> None:
        """Begin to connect; `lost` may be called at once."""
        while self._places:
            family, address = self._places.pop(0)
            try:
                self._socket = _Socket(family, SOCK_STREAM)
                self._socket.setblocking(False)
                self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                error = self._socket.connect_ex(address)
                if error in (0, errno.EINPROGRESS):
                    self._poller.add(self._socket.fileno(), self)
                    return
                self._why = OSError(error, os.strerror(error))
                self._socket.close()
            except OSError as error:
                self._why = error
        self._socket = None
        self._lose(self._why)

    def close(self) -> None:
        """Close it; nothing more happens to it."""
        self.closed = True
        if self._socket is not None:
            self._poller.remove(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def happened(self, events: int) -> None:
        """Go on after these events of epoll."""
        if not self._reached and not self._reach(events):
            return
        if events & EPOLLOUT and self._full:
            self._full = False
            if self._flush() and self.connected:
                self.writable()
        over = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)
        if (over or events & EPOLLIN) and not self.closed:
            if self._seal is None:
                self._receive(bool(over))
            else:
                self._receive_sealed(bool(over))

    def write(self, *parts: Part) -> None:
        """Send the parts, after all that waits."""
        if self._seal is None:
            self._unsent += parts
        elif self.connected and not self.closed:
            self._unsent.append(self._seal.sealed(parts))
        else:
            self._unsealed += parts
            return
        if not self._full and not self.closed:
            self._flush()

    @abstractmethod
    def received(self, total: int) -> int:
        """Take in the first `total` bytes of the poller's buffer; how many of them are done with."""

    @abstractmethod
    def lost(self, error: OSError) -> None:
        """The connection, which is closed now, could not be made, or has ended."""

    def writable(self) -> None:  # noqa: B027  only some wait for it
        """All that waited was sent."""

    def _reach(self, events: int) -> bool:
        """Whether the server took the connection; then TLS begins, where there is any."""
        assert self._socket is not None
        error = self._socket.getsockopt(SOL_SOCKET, SO_ERROR)
        if error:
            self._why = OSError(error, os.strerror(error))
            self._poller.remove(self._socket.fileno())
            self._socket.close()
            self.open()
            return False
        self._reached = bool(events & EPOLLOUT)
        if self._reached and self._seal is not None:
            self._seal.shake_hands()
            self._unsent.append(self._seal.waiting())
        elif self._reached:
            self.connected = True
        return self._reached

    def _lose(self, error: OSError) -> None:
        self.close()
        self.lost(error)

    def _flush(self) -> bool:
        """Send what the system takes; whether that was all."""
        assert self._socket is not None
        unsent = self._unsent
        while unsent:
            try:
                sent = self._socket.sendmsg(unsent if len(unsent) <= _MOST_PARTS else unsent[:_MOST_PARTS])
            except OSError:
                # The system takes no more now, or the connection has ended: then an event says so, and what the server
                # said before it closed is read first.
                self._full = True
                return False
            done = 0
            while done < len(unsent) and sent >= len(unsent[done]):
                sent -= len(unsent[done])
                done += 1
            del unsent[:done]
            if sent:
                unsent[0] = memoryview(unsent[0])[sent:]
        return True

    def _receive(self, to_the_end: bool) -> None:
        """Take in what has come. Events are told once: of an end that was told already nothing more would come."""
        while self._socket is not None:
            room = self._room()
            try:
                count = self._socket.recv_into(room)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(error)
                return
            if count == 0:
                self._lose(_server_closed())
                return
            self._deliver(count)
            if count < len(room) and not to_the_end:
                return

    def _receive_sealed(self, to_the_end: bool) -> None:
        """The same of a connection with TLS."""
        sealed, seal = self._poller.sealed, self._seal
        assert seal is not None
        while self._socket is not None:
            try:
                count = self._socket.recv_into(sealed)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(seal.end() if self.connected else TlsError(f"the server ended the TLS handshake ({error})"))
                return
            seal.take(sealed[:count])
            try:
                self._open()
            except TlsError as error:
                self._lose(error)
                return
            if count == 0 and self._socket is not None:
                self._lose(seal.end())
                return
            if count < len(sealed) and not to_the_end:
                return

    def _open(self) -> None:
        """Go on with the handshake, or take in what was sealed; TlsError when that fails."""
        seal = self._seal
        assert seal is not None
        established = seal.established or seal.shake_hands()
        if waiting := seal.waiting():
            self._unsent.append(waiting)
        if established and not self.connected:
            self.connected = True
            early, self._unsealed = self._unsealed, []
            if early:
                self._unsent.append(seal.sealed(early))
        if self._unsent and not self._full and self._flush() and self.connected:
            self.writable()
        while established and self._socket is not None and (count := seal.open_into(self._room())):
            self._deliver(count)

    def _room(self) -> memoryview:
        """Where to put what comes: in the poller's buffer, behind what was kept of it."""
        kept = len(self._kept)
        if kept:
            self._poller.buffer[:kept] = self._kept
        return self._poller.view[kept:]

    def _deliver(self, count: int) -> None:
        """Let the protocol take in so many new bytes, and keep what it is not done with."""
        total = len(self._kept) + count
        done = self.received(total)
        if done == 0 and total == _BUFFER_BYTES:
            self._lose(OSError(errno.EMSGSIZE, "the server sent more than this protocol allows"))
            return
        self._kept = bytes(self._poller.view[done:total]) if done < total else b""


def _server_closed() -> OSError:
    return ConnectionResetError(errno.ECONNRESET, "the server closed the connection")
