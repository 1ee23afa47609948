"""A client's connection: uvicorn's, with ends for heads that never come, for answers nobody takes, and for too many."""

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"


def connection_class(limits: Limits) -> type[H11Protocol]:
    """The class of connections with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(H11Protocol):
    """uvicorn ends what is idle after an answer; this class ends what is idle within a head or within an answer."""

    limits = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_ends: asyncio.TimerHandle | None = None
        self._writing_ends: asyncio.TimerHandle | None = None
        self._active_at = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many, the one that is idle for longest ends, or this one."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if len(self.connections) > self.limits.connections:
            idle = [one for one in self.connections if isinstance(one, Connection) and one._is_idle and one is not self]
            if idle:
                min(idle, key=lambda one: one._active_at).transport.abort()
            else:
                transport.write(_BUSY)
                transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; no timer stays."""
        self._stop_head_timer()
        self._stop_writing_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._active_at = time.monotonic()
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._active_at = time.monotonic()
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """Wait for a client that takes no more, but not for long."""
        super().pause_writing()
        self._writing_ends = self.loop.call_later(self.limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client took something."""
        self._stop_writing_timer()
        super().resume_writing()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch_head(self) -> None:
        within_head = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not within_head:
            self._stop_head_timer()
        elif self._head_ends is None:
            self._head_ends = self.loop.call_later(self.limits.stall_s, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_ends is not None:
            self._head_ends.cancel()
            self._head_ends = None

    def _stop_writing_timer(self) -> None:
        if self._writing_ends is not None:
            self._writing_ends.cancel()
            self._writing_ends = None
