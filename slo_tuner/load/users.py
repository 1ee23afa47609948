"""Load from Locust: an open-loop user with Poisson arrivals, and a closed-loop user, both over a prepared request."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust import User, task
from locust.exception import StopUser

from .transport import RequestError, Transport

U = TypeVar("U", bound="PreparedUser")


@dataclass(frozen=True)
class Route:
    """What is sent to which model, and the way it takes; `turns` are the numbers of the requests, one after another."""

    model: str
    protocol: str
    transport: Transport
    turns: Iterator[int] = field(default_factory=count)


class PreparedUser(User):
    """Sends prepared requests in turn and fires Locust's request event for it.

    `begun_at` is the moment (time.perf_counter()) from which the times of a run count; setting `stopping` ends it.
    """

    abstract = True
    route: Route
    begun_at: float = 0.0
    stopping = Event()

    def request(self, due_s: float) -> None:
        """Send now; the latency counts from `due_s` after `begun_at`, when the request should have been sent."""
        sent = time.perf_counter()
        failure: Exception | None = None
        size = 0
        try:
            size = self.route.transport.send(next(self.route.turns))
        except RequestError as error:
            failure = error
        done_s = time.perf_counter() - self.begun_at
        self.environment.events.request.fire(
            request_type=self.route.protocol,
            name=self.route.model,
            response_time=(done_s - due_s) * 1000,
            response_length=size,
            exception=failure,
            context={"begun_at": self.begun_at, "due": due_s, "sent": sent - self.begun_at, "done": done_s},
            start_time=time.time() - (done_s - due_s),
            url=None,
        )


class OpenLoopUser(PreparedUser):
    """One arrival process. The users of a run share nothing: superposed Poisson processes are one of the summed rate.

    A closed loop waits for a slow server and so hides what its users would have seen (coordinated omission); here a
    request is due when it is due, in a greenlet of its own.
    """

    abstract = True
    offsets_s: Iterable[float]

    @task
    def arrive(self) -> None:
        """Send every request of the schedule when it is due, then wait for the answers."""
        in_flight = Group()
        for offset in self.offsets_s:
            wait = self.begun_at + offset - time.perf_counter()
            if wait > 0:
                gevent.sleep(wait)
            if self.stopping.is_set():
                break
            in_flight.spawn(self.request, offset)
        in_flight.join()
        raise StopUser


class ClosedLoopUser(PreparedUser):
    """Sends its next request when the last one is answered, as the published method does."""

    abstract = True

    @task
    def again(self) -> None:
        """One request."""
        if self.stopping.is_set():
            raise StopUser
        self.request(time.perf_counter() - self.begun_at)


def make_user(kind: type[U], **attributes: Any) -> type[U]:
    """The class of users of one run: Locust makes its users itself, so what they share stands in their class."""
    return type(kind.__name__, (kind,), {"abstract": False, **attributes})
