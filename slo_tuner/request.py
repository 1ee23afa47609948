"""What a measurement was asked, checked completely before anything starts."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .configmap import ConfigMapStore, check_name
from .control import Control
from .crew import Crew
from .effort import EFFORTS, Effort
from .errors import ServerError, UsageError
from .ladder import Job
from .measure import Endpoint
from .objective import Objective, parse_objective
from .server import TritonProcess, check_repository, pick_ports
from .tritonserver import find_tritonserver
from .validation import (
    check_address,
    check_output,
    check_protocol,
    default_control_address,
    parse_shape,
    positive,
)
from .workers import Workers, read_workers


@dataclass(frozen=True)
class Request:
    """A validated request. `models` None means every model of the repository."""

    models: tuple[str, ...] | None
    objective: Objective | None
    effort: Effort
    output: Path
    title: str
    rate_per_s: float | None
    repository: Path | None
    endpoint: Endpoint
    tritonserver: str | None
    server_python: str | None
    configmap: ConfigMapStore | None
    workers: Workers
    server_arguments: tuple[str, ...] = ()

    def crew(self, say: Callable[[str], None]) -> AbstractContextManager[Crew | None]:
        """The workers that generate the load; None where this process does it alone."""
        return self.workers.crew(self.output / "workers.log", say)

    @contextmanager
    def server(self) -> Iterator[tuple[Control, Endpoint]]:
        """A server to measure: its own on the repository, or the running one at the address.

        ServerError when it, or its metrics, can't be reached; UsageError for a model that it does not have.
        """
        if self.repository is None:
            with closing(Control(self.endpoint.control_address)) as control:
                control.check_reachable()
                self._check(control)
                yield control, self.endpoint
            return
        program = find_tritonserver(self.tritonserver, self.server_python)
        log = self.output / "tritonserver.log"
        with TritonProcess(program, self.repository, pick_ports(), log, self.server_arguments) as process:
            endpoint = replace(
                self.endpoint,
                address=process.http_address if self.endpoint.protocol == "http" else process.grpc_address,
                control_address=process.grpc_address,
                metrics_url=process.metrics_url,
                local=True,
            )
            # Closed before the server is stopped: tritonserver waits for its gRPC connections to end.
            with closing(Control(process.grpc_address, process)) as control:
                try:
                    self._check(control)
                    yield control, endpoint
                except ServerError:
                    process.check()  # that the server died says more than what failed because of it
                    raise

    def job(self, control: Control, endpoint: Endpoint, command: str) -> Job:
        """The job on that server."""
        models = self.models or tuple(_baseline_first(control.models()))
        return Job(
            models=models,
            objective=self.objective,
            endpoint=endpoint,
            effort=self.effort,
            output=self.output,
            title=self.title or f"Ladder of {len(models)} models" if len(models) > 1 else self.title or models[0],
            command=command,
            repository=self.repository,
            alone=self.alone,
            rate_per_s=self.rate_per_s,
        )

    def _check(self, control: Control) -> None:
        available = control.models()
        if not available:
            raise UsageError("models", "", "the server's repository has no model")
        for model in self.models or ():
            if model not in available:
                raise UsageError("model", model, f"the server's repository has {', '.join(available)}")
        if metrics := self.endpoint.metrics():
            metrics.check()

    @property
    def alone(self) -> bool:
        """Whether other models are unloaded first: on a server of its own, and for a ladder."""
        return self.repository is not None or self.models is None or len(self.models) > 1


def _baseline_first(models: list[str]) -> list[str]:
    return sorted(models, key=lambda name: (name != "original", name))


def read_request(options: argparse.Namespace) -> Request:
    """Check every option; UsageError names the first that is wrong."""
    objective = None if options.objective == "auto" else parse_objective(options.objective)
    protocol = check_protocol("protocol", options.protocol)
    if options.repository is not None:
        check_repository(options.repository)
    address = check_address("address", options.address) if options.address else ""
    control = check_address("control-address", options.control_address) if options.control_address else ""
    if options.metrics_url and not options.metrics_url.startswith(("http://", "https://")):
        raise UsageError("metrics-url", options.metrics_url, "write it like http://localhost:8002/metrics")
    timeout_s = positive("timeout-s", options.timeout_s) if options.timeout_s else None
    if timeout_s is None and objective is not None:
        timeout_s = max(2.0, objective.limit_ms / 100)
    rate = getattr(options, "rate", None)
    return Request(
        models=_models(options),
        objective=objective,
        effort=EFFORTS[options.effort],
        output=check_output(options.output),
        title=options.title,
        rate_per_s=positive("rate", rate) if rate else None,
        repository=options.repository,
        endpoint=Endpoint(
            address=address,
            control_address=control or default_control_address(address, protocol),
            protocol=protocol,
            metrics_url=options.metrics_url,
            timeout_s=timeout_s,
            shapes=dict(parse_shape(text) for text in options.shape),
        ),
        tritonserver=options.tritonserver,
        server_python=options.server_python,
        configmap=ConfigMapStore(check_name(options.save_configmap)) if options.save_configmap else None,
        workers=read_workers(options),
    )


def _models(options: argparse.Namespace) -> tuple[str, ...] | None:
    if options.command in ("measure", "tune", "sweep"):
        return (options.model,)
    if options.models is None:
        return None
    names = tuple(name.strip() for name in options.models.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise UsageError("models", options.models, "give different names, separated by commas")
    return names
