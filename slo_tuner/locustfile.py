"""A plain locustfile for `locust -f`: the same load as slo-tuner's, configured by environment variables.

    SLO_TUNER_MODEL            the model (required)
    SLO_TUNER_ADDRESS          host:port of the server, default localhost:8001
    SLO_TUNER_PROTOCOL         grpc (default) or http
    SLO_TUNER_CONTROL_ADDRESS  where the server is asked over gRPC, default that address (port 8001 with http)
    SLO_TUNER_MODE             closed (default): each user waits for its answer; open: Poisson arrivals
    SLO_TUNER_RATE_PER_S       open: requests per second of all users together, however many there are
    SLO_TUNER_USER_RATE_PER_S  closed: the most requests per second of one user, default 10
    SLO_TUNER_TIMEOUT_S        time-out of a request in seconds, default 10
    SLO_TUNER_EXAMPLES         rows to send in turn: a file, a directory of images, or a repository; else generated
    SLO_TUNER_TLS              true: addresses are behind TLS, as those that begin with grpcs:// and https:// are
    SLO_TUNER_CA, ..._CLIENT_CERTIFICATE, ..._CLIENT_KEY, ..._SERVER_NAME
                               files in PEM, and whom the server's certificate is for; as slo-tuner's options
    SLO_TUNER_HEADERS          NAME=VALUE, one a line, sent with each request
    SLO_TUNER_TOKEN_FILE       a file with a bearer token; or SLO_TUNER_TOKEN, the token itself
    SLO_TUNER_RETRIES          true: gRPC's retry policy of docs/how-to/reliability.md is followed
    SLO_TUNER_OBJECTIVE        judged when the test stops; empty: Locust's own exit code stands
    SLO_TUNER_WARM_UP_S        seconds after the last user has started that are not judged, default 2

Its users, in any number of processes, add up to the load: Poisson processes superpose. Every process counts; the
master, or the only process, judges the sum and ends with 0 (kept), 3 (missed), 4 (no request to judge) or 1 (no load).
"""

import os
import random
import sys
import time
from itertools import count

import gevent
from locust import constant_throughput, events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, Runner, WorkerRunner
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2 import ModelMetadataResponse

from command_line.errors import SloTunerError
from command_line.exit_codes import ExitCode
from slo_tuner.load.arrivals import endless_arrivals
from slo_tuner.load.examples import find_examples, read_rows, wanted
from slo_tuner.load.gate import Counts, Gate, verdict
from slo_tuner.load.locust_settings import Settings, read_settings
from slo_tuner.load.payload import Payloads, make_payload, make_payloads
from slo_tuner.load.transport import Target, open_transport
from slo_tuner.load.users import ClosedLoopUser, OpenLoopUser, PreparedUser, Route, make_user
from slo_tuner.triton.control import Control
from triton_contract.input_values import declared

_FAILED, _USERS, _COUNTS = "slo-tuner-failed", "slo_tuner_users", "slo_tuner_counts"
_FINISH, _LAST = "slo-tuner-finish", "slo-tuner-last-counts"
_LAST_S = 15.0
"""How long the master waits for the workers' last counts. Locust itself waits half a second, too short when busy."""

try:
    _settings: Settings = read_settings(os.environ)
except SloTunerError as error:
    print(f"slo-tuner: error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)

_gate = Gate(_settings.objective.limit_ms if _settings.objective else float("inf"), _settings.warm_up_s)
_total, _judged = Counts(), False
_finished: set[str] = set()


class Judged(PreparedUser):
    """Tells the gate of each request while it is under way, and when it is cut off."""

    abstract = True

    def request(self, due_s: float) -> None:
        due = self.begun_at + due_s
        with _gate.watching(due):
            try:
                super().request(due_s)
            except gevent.GreenletExit:
                _gate.abandoned(due, time.perf_counter())
                raise


class OpenLoop(Judged, OpenLoopUser):
    """One user's share of the offered rate, which follows the number of users."""

    abstract = True

    def on_start(self) -> None:
        self.begun_at = time.perf_counter()
        self.offsets_s = endless_arrivals(lambda: _settings.rate_per_s / _users(self.environment))


class ClosedLoop(Judged, ClosedLoopUser):
    """A user that waits for its answers."""

    abstract = True


Load: type[PreparedUser]
if _settings.mode == "open":
    Load = make_user(OpenLoop)
else:
    Load = make_user(ClosedLoop, wait_time=constant_throughput(_settings.user_rate_per_s))


def _users(environment: Environment) -> int:
    """How many users all processes have together, once all have started; a worker knows it from its master."""
    if isinstance(environment.runner, WorkerRunner):
        return max(1, getattr(environment.parsed_options, _USERS, 1))
    assert environment.runner is not None
    return max(1, environment.runner.target_user_count)


@events.init.add_listener
def _on_init(environment: Environment, runner: Runner, **_: object) -> None:
    """The messages of master and workers beside Locust's reports: a failure, and a changed number of users."""

    def on_failed(msg: Message, **_: object) -> None:
        environment.process_exit_code = ExitCode.FAILED
        print(f"slo-tuner: error: load worker {msg.node_id}: {msg.data['reason']}", file=sys.stderr)

    def on_users(msg: Message, **_: object) -> None:
        setattr(environment.parsed_options, _USERS, msg.data["users"])

    def on_finish(**_: object) -> None:
        _gate.stop(time.perf_counter())
        runner.send_message(_LAST, _gate.take().to_message())

    def on_last(msg: Message, **_: object) -> None:
        _total.add(Counts.from_message(msg.data))
        _finished.add(msg.node_id)

    # Its clock stands where imports began, and they take seconds: --run-time would end that much sooner.
    gevent.get_hub().loop.update_now()
    if isinstance(runner, MasterRunner):
        runner.register_message(_FAILED, on_failed)
        runner.register_message(_LAST, on_last)
    elif isinstance(runner, WorkerRunner):
        runner.register_message(_USERS, on_users)
        runner.register_message(_FINISH, on_finish)


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: object) -> None:
    """Count anew; in a process with users, ask the server for the model's inputs and prepare the request."""
    global _total, _judged
    _total, _judged = Counts(), False
    _finished.clear()
    _gate.restart()
    environment.process_exit_code = None
    if isinstance(environment.runner, MasterRunner):
        # Locust hands options that it doesn't know to the workers, with each order to start users.
        setattr(environment.parsed_options, _USERS, environment.runner.target_user_count)
        return
    try:
        Load.route = _route()
    except SloTunerError as error:
        _give_up(environment, error)


def _route() -> Route:
    access, at = _settings.access, _settings.control_address
    control = Control(at, access=access, server_name=access.server_name)
    try:
        control.check_reachable(60.0)
        payloads = _payloads(control.metadata(_settings.model), control.config(_settings.model))
    finally:
        control.close()
    target = Target(_settings.address, _settings.timeout_s, access.server_name, access)
    transport = open_transport(_settings.protocol, target, payloads)
    # Processes don't know of one another: each begins its turns anywhere.
    return Route(_settings.model, _settings.protocol, transport, count(random.randrange(len(payloads))))


def _payloads(metadata: ModelMetadataResponse, config: ModelConfig) -> Payloads:
    source = find_examples(_settings.model, _settings.examples, None)
    if source is None:
        return (make_payload(metadata, config.max_batch_size, {}, values=declared(config)),)
    rows = read_rows(source, wanted(metadata, config.max_batch_size))
    return make_payloads(metadata, config.max_batch_size, rows)


def _give_up(environment: Environment, error: SloTunerError) -> None:
    """End this process, and have the master know why: without a request there is no load."""
    runner = environment.runner
    assert runner is not None
    print(f"slo-tuner: error: {error}", file=sys.stderr)
    environment.process_exit_code = ExitCode.FAILED
    if isinstance(runner, WorkerRunner):
        runner.send_message(_FAILED, {"reason": str(error)})
    # From a greenlet of its own: to quit ends the one that starts the test, which is this one.
    gevent.spawn(runner.quit)
    raise gevent.GreenletExit


@events.spawning_complete.add_listener
def _on_spawning_complete(user_count: int, **_: object) -> None:
    _gate.users_started(time.perf_counter())


@events.init.add_listener
def _announce_users(environment: Environment, runner: Runner, **_: object) -> None:
    """Tell the workers when the number of users has been changed while they run."""
    if isinstance(runner, MasterRunner):
        environment.events.spawning_complete.add_listener(
            lambda user_count, **_: runner.send_message(_USERS, {"users": user_count})
        )


@events.request.add_listener
def _on_request(context: dict[str, float], response_time: float, exception: Exception | None, **_: object) -> None:
    _gate.ended(context["begun_at"] + context["due"], response_time, exception is not None)


@events.report_to_master.add_listener
def _on_report_to_master(data: dict[str, object], **_: object) -> None:
    data[_COUNTS] = _gate.take().to_message()


@events.worker_report.add_listener
def _on_worker_report(data: dict[str, dict[str, list[int]]], **_: object) -> None:
    _total.add(Counts.from_message(data[_COUNTS]))


@events.test_stop.add_listener
def _on_test_stop(environment: Environment, **_: object) -> None:
    runner = environment.runner
    _gate.stop(time.perf_counter())
    if isinstance(runner, WorkerRunner):
        runner.send_message(_LAST, _gate.take().to_message())
    elif isinstance(runner, MasterRunner):
        _wait_for_workers(runner)
    _judge(environment)


def _wait_for_workers(runner: MasterRunner) -> None:
    """Have every worker stop counting and send what it has counted; the master may be about to quit."""
    asked = set(runner.clients)
    _finished.clear()
    runner.send_message(_FINISH)
    end = time.monotonic() + _LAST_S
    while (missing := (asked & set(runner.clients)) - _finished) and time.monotonic() < end:
        gevent.sleep(0.02)
    if missing:
        print(
            f"slo-tuner: {len(missing)} of {len(asked)} load workers have not sent their last counts", file=sys.stderr
        )


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: object) -> None:
    _gate.stop(time.perf_counter())
    _judge(environment)


def _judge(environment: Environment) -> None:
    """Judge the test that has stopped, once; a worker leaves it to its master."""
    global _judged
    if _settings.objective is None or _judged or isinstance(environment.runner, WorkerRunner):
        return
    if environment.process_exit_code is not None:
        return
    _judged = True
    _total.add(_gate.take())
    environment.process_exit_code, text = verdict(_settings.objective, _total)
    print(f"slo-tuner: {text}", flush=True)
