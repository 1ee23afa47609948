"""Load from Locust: an open-loop user with Poisson arrivals, and a closed-loop user, both over a prepared request."""

import time
from collections.abc import Iterable

import gevent
from gevent.event import AsyncResult, Event
from gevent.pool import Group
from locust import User, constant_throughput, task
from locust.exception import StopUser

from .transport import RequestError, Transport


class Arrivals:
    """An arrival process under way: when requests are due, when it began, how many were due, how to end it early."""

    def __init__(self, offsets_s: Iterable[float]) -> None:
        self.offsets_s = offsets_s
        self.started_at: AsyncResult[float] = AsyncResult()
        self.stop = Event()
        self.finished = Event()
        self.due = 0


class PreparedUser(User):
    """Sends one prepared request and fires Locust's request event for it."""

    abstract = True
    transport: Transport
    model: str
    protocol: str

    def request(self, due: float) -> None:
        """Send now; the latency counts from `due` (time.perf_counter()), when the request should have been sent."""
        sent = time.perf_counter()
        failure: Exception | None = None
        size = 0
        try:
            size = self.transport.send()
        except RequestError as error:
            failure = error
        done = time.perf_counter()
        self.environment.events.request.fire(
            request_type=self.protocol,
            name=self.model,
            response_time=(done - due) * 1000,
            response_length=size,
            exception=failure,
            context={"due": due, "sent": sent, "done": done},
            start_time=time.time() - (done - due),
            url=None,
        )


class OpenLoopUser(PreparedUser):
    """One arrival process. The users of a run share nothing: superposed Poisson processes are one of the summed rate.

    A closed loop waits for a slow server and so hides what its users would have seen (coordinated omission); here a
    request is due when it is due, in a greenlet of its own.
    """

    abstract = True
    arrivals: Arrivals

    @task
    def arrive(self) -> None:
        """Send every request of the schedule when it is due, then wait for the answers."""
        arrivals, in_flight = self.arrivals, Group()
        start = time.perf_counter() + 0.02
        arrivals.started_at.set(start)
        for offset in arrivals.offsets_s:
            due = start + float(offset)
            wait = due - time.perf_counter()
            if wait > 0:
                gevent.sleep(wait)
            if arrivals.stop.is_set():
                break
            arrivals.due += 1
            in_flight.spawn(self.request, due)
        in_flight.join()
        arrivals.finished.set()
        raise StopUser


class ClosedLoopUser(PreparedUser):
    """Sends its next request when the last one is answered, as the published method does; a rate bounds each user."""

    abstract = True

    @task
    def again(self) -> None:
        """One request."""
        self.request(time.perf_counter())


def closed_loop_user(user_rate_per_s: float | None) -> type[ClosedLoopUser]:
    """The closed-loop user, at most `user_rate_per_s` requests a second each when given."""
    attributes: dict[str, object] = {"abstract": False}
    if user_rate_per_s:
        attributes["wait_time"] = constant_throughput(user_rate_per_s)
    return type("ClosedLoop", (ClosedLoopUser,), attributes)
