"""A plain locustfile for `locust -f`: the same load as slo-tuner's, configured by environment variables.

    SLO_TUNER_MODEL            the model (required)
    SLO_TUNER_ADDRESS          host:port of the server, default localhost:8001
    SLO_TUNER_PROTOCOL         grpc (default) or http
    SLO_TUNER_MODE             closed (default): each user waits for its answer; open: Poisson arrivals
    SLO_TUNER_RATE_PER_S       open: requests per second of LOCUST_USERS users together
    SLO_TUNER_USER_RATE_PER_S  closed: the most requests per second of one user, default 10
    SLO_TUNER_TIMEOUT_S        time-out of a request in seconds, default 10
    SLO_TUNER_OBJECTIVE        judged when the test stops; a miss makes locust exit with 1

Its users, in any number of processes, add up to the load: Poisson processes superpose.
"""

import os
import time

from locust import constant_throughput, events
from locust.env import Environment

from slo_tuner.load.arrivals import endless_arrivals
from slo_tuner.load.locust_settings import Settings, read_settings
from slo_tuner.load.payload import make_payload
from slo_tuner.load.transport import open_transport
from slo_tuner.load.users import ClosedLoopUser, OpenLoopUser, PreparedUser, Route, make_user
from slo_tuner.triton.control import Control
from triton_contract.input_values import declared

_settings: Settings = read_settings(os.environ)


class OpenLoop(OpenLoopUser):
    """One user's share of the offered rate."""

    abstract = True

    def on_start(self) -> None:
        self.begun_at, self.offsets_s = time.perf_counter(), endless_arrivals(_settings.rate_per_s / _settings.users)


Load: type[PreparedUser]
if _settings.mode == "open":
    Load = make_user(OpenLoop)
else:
    Load = make_user(ClosedLoopUser, wait_time=constant_throughput(_settings.user_rate_per_s))


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: object) -> None:
    """Ask the server for the model's inputs and prepare the request, once a process."""
    if hasattr(environment.runner, "clients"):  # a master sends no requests
        return
    control = Control(_settings.control_address)
    control.check_reachable(60.0)
    config = control.config(_settings.model)
    payload = make_payload(control.metadata(_settings.model), config.max_batch_size, {}, values=declared(config))
    control.close()
    transport = open_transport(_settings.protocol, _settings.address, payload, _settings.timeout_s)
    Load.route = Route(_settings.model, _settings.protocol, transport)


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: object) -> None:
    objective = _settings.objective
    if objective is None or hasattr(environment.runner, "worker_index"):
        return
    total = environment.stats.total
    if total.num_requests == 0:
        return
    reached = total.get_response_time_percentile(objective.quantile)
    kept = reached <= objective.limit_ms and total.fail_ratio <= objective.error_share
    print(f"slo-tuner: objective {objective}: {'kept' if kept else 'missed'}; reached {reached:g} ms")
    environment.process_exit_code = 0 if kept else 1
