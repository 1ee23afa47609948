"""Who makes the load: what a measurement asks of a load generator, and the one that works in this process."""

import os
import time
from typing import Protocol

from gevent.event import Event
from locust.env import Environment

from command_line.arguments import PROTOCOLS

from .messages import Assignment
from .request_log import Failures, Floats, Recorder, RequestLog, count_between
from .sender_load import AHEAD_S, SenderLoad
from .users import ClosedLoopUser, OpenLoopUser, PreparedUser, Route, make_user


class Run(Protocol):
    """Load under way. Its times are seconds from its start, which was `started_at` on this process's perf_counter."""

    @property
    def started_at(self) -> float: ...
    @property
    def cpu_s(self) -> float:
        """CPU time spent on the rows taken so far, all processes together."""

    def complete_until_s(self) -> float:
        """The moment up to which every answer is known: in rows taken already, or by the next `take`."""

    def errors_between(self, start: float, end: float) -> dict[str, int]:
        """How many of the requests due in [start, end) have failed so far, by reason, the most frequent first."""

    def take(self) -> RequestLog:
        """The rows that came in since the last call; GeneratorError when load is missing."""

    def stop(self) -> None:
        """Send nothing more."""

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until everything was sent and answered; False when it wasn't within the time."""

    def close(self) -> None:
        """End what is left of it."""


class Generator(Protocol):
    """Sends the prepared request of one model, again and again."""

    @property
    def workers(self) -> int:
        """How many processes share the work."""

    @property
    def cores(self) -> int | None:
        """CPU cores of the machine that they are on; None where they are on others."""

    def open(self, offsets_s: Floats) -> Run:
        """Send a request at each of these times, ascending, shape [n], whatever the server does."""

    def closed(self, users: int) -> Run:
        """Keep `users` requests in flight until told to stop."""

    def close(self) -> None:
        """Close every connection."""


class UsersRun:
    """A run of the users of one Locust process: of the only one, or of a worker."""

    def __init__(self, environment: Environment, user: type[PreparedUser], users: int) -> None:
        assert environment.runner is not None
        self._runner, self._stopping = environment.runner, Event()
        self._recorder = Recorder(environment)
        self._cpu_before = time.process_time()
        self.started_at = time.perf_counter() + AHEAD_S
        chosen = make_user(user, begun_at=self.started_at, stopping=self._stopping)
        environment.user_classes = [chosen]
        self._runner.spawn_users({chosen.__name__: users})

    @classmethod
    def open(cls, environment: Environment, route: Route, offsets_s: Floats) -> "UsersRun":
        """One user that follows the schedule."""
        return cls(environment, make_user(OpenLoopUser, route=route, offsets_s=offsets_s.tolist()), 1)

    @classmethod
    def closed(cls, environment: Environment, route: Route, users: int) -> "UsersRun":
        """Users that each wait for their answers."""
        return cls(environment, make_user(ClosedLoopUser, route=route), users)

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu_before

    def complete_until_s(self) -> float:
        return time.perf_counter() - self.started_at

    def errors_between(self, start: float, end: float) -> dict[str, int]:
        return count_between(self._recorder.failures, start, end)

    def take(self) -> RequestLog:
        return self._recorder.take()

    def take_failures(self) -> Failures:
        """The failures since the last call, for one who adds them up."""
        return self._recorder.take_failures()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        return bool(self._runner.user_greenlets.join(timeout=timeout_s))

    def close(self) -> None:
        self.stop()
        self._runner.user_greenlets.kill()
        self._recorder.close()


class LocalRun(Run, Protocol):
    """A run of this process."""

    def take_failures(self) -> Failures:
        """The failures since the last call, for one who adds them up."""


class LocalLoad(Protocol):
    """Load that this process makes."""

    def open(self, offsets_s: Floats) -> LocalRun: ...
    def closed(self, users: int) -> LocalRun: ...
    def close(self) -> None: ...


class UsersLoad:
    """Load of Locust's users over a transport: one greenlet a request."""

    def __init__(self, environment: Environment, route: Route) -> None:
        self._environment, self._route = environment, route

    def open(self, offsets_s: Floats) -> UsersRun:
        return UsersRun.open(self._environment, self._route, offsets_s)

    def closed(self, users: int) -> UsersRun:
        return UsersRun.closed(self._environment, self._route, users)

    def close(self) -> None:
        self._route.transport.close()


def open_load(work: Assignment, environment: Environment) -> LocalLoad:
    """What makes the assigned load in this process: raw sockets, or gRPC's own client where a proxy is on the way."""
    if work.through_proxy or work.protocol not in PROTOCOLS:
        return UsersLoad(environment, work.route())
    return SenderLoad(work)


class InProcess:
    """Makes the whole load in this process (docs/explanation/measuring.md says how much that is)."""

    workers = 1
    cores = os.cpu_count()

    def __init__(self, work: Assignment | Route) -> None:
        """Of a route, Locust's users make the load over its transport."""
        environment = Environment()
        self._runner = environment.create_local_runner()
        self._load = open_load(work, environment) if isinstance(work, Assignment) else UsersLoad(environment, work)

    def open(self, offsets_s: Floats) -> Run:
        return self._load.open(offsets_s)

    def closed(self, users: int) -> Run:
        return self._load.closed(users)

    def close(self) -> None:
        self._runner.quit()
        self._load.close()
