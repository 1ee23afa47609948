"""One request and what becomes of it, as the loop and the connections see it."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

ContentT = TypeVar("ContentT")


class Exchange(Generic[ContentT]):
    """A request on its way; times in seconds, `due_s` and `sent_s` from the start of the run, `expires_at` absolute.

    `content` is what its protocol sends. `server` is the place of its server in the list of servers.
    """

    __slots__ = ("attempts", "content", "due_s", "ended", "expires_at", "link", "retried", "sent_s", "server")

    def __init__(self, content: ContentT, due_s: float, sent_s: float, expires_at: float, server: int) -> None:
        self.content, self.due_s, self.sent_s, self.expires_at = content, due_s, sent_s, expires_at
        self.server, self.ended, self.retried, self.attempts = server, False, False, 0
        self.link: Link[ContentT] | None = None


class Link(Protocol[ContentT]):
    """What an exchange is with: a connection."""

    def cancel(self, exchange: Exchange[ContentT]) -> None:
        """Nobody waits for this answer any more."""


class Channel(Protocol[ContentT]):
    """The way to one server: as many connections as its protocol takes."""

    def send(self, exchange: Exchange[ContentT]) -> None:
        """Send it now, or as soon as there is a way; `Ended` is called once, maybe at once."""

    def close(self) -> None:
        """Close every connection."""


Ended = Callable[[Exchange[ContentT], str], None]
"""Takes an exchange that got its answer (an empty text) or failed, with a short reason that groups with its like."""
