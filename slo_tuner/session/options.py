"""The options of a measurement, checked completely before anything starts."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from command_line.arguments import parse_shape, positive
from command_line.errors import UsageError
from command_line.files import check_output

from ..access.addresses import check_servers, check_use, default_control, read_protocol
from ..access.client_access import Access
from ..access.settings import HIDDEN, read_access, read_tls
from ..load.examples import check_examples
from ..measurement.effort import EFFORTS, Effort
from ..slo.objective import Objective, parse_objective
from ..triton.endpoint import Endpoint
from ..triton.server_process import check_repository
from .configmap import ConfigMapStore, check_name
from .workers import Workers, read_workers


@dataclass(frozen=True)
class MeasureOptions:
    """Validated options. `models` None means every model of the repository; `several` servers may be one target."""

    models: tuple[str, ...] | None
    objective: Objective | None
    effort: Effort
    effort_name: str
    output: Path
    title: str
    rate_per_s: float | None
    repository: Path | None
    endpoint: Endpoint
    tritonserver: str | None
    server_python: str | None
    configmap: ConfigMapStore | None
    workers: Workers
    server_machine: str = ""
    server_arguments: tuple[str, ...] = ()
    several: bool = False

    @property
    def alone(self) -> bool:
        """Whether other models are unloaded first: on a server of its own, and for a ladder."""
        return self.repository is not None or self.models is None or len(self.models) > 1


@dataclass(frozen=True)
class Asked:
    """What each command asks for in its own options. `models` None: all of the repository; a `rate` ends the search.

    `address`, the load's, and `title` are those of the common options where they are None. `several`: the command loads
    and configures nothing, so that its target may be several servers.
    """

    models: tuple[str, ...] | None
    rate: str | None = None
    address: str | None = None
    title: str | None = None
    several: bool = False


def read_measure_options(options: argparse.Namespace, asked: Asked) -> MeasureOptions:
    """Check every option that measuring commands share; UsageError names the first that is wrong."""
    objective = None if options.objective == "auto" else parse_objective(options.objective)
    at = asked.address or options.address
    protocol = read_protocol(options.protocol, [at])
    if options.repository is not None:
        check_repository(options.repository)
        _check_own_server(options)
    if options.proxy and protocol != "grpc":
        raise UsageError("proxy", options.proxy, f"the load over {protocol} takes no proxy; leave it out")
    own = options.repository is not None
    access, tls = (Access(), False) if own else (read_access(options, os.environ), read_tls(options, os.environ))
    if access.retries and protocol != "grpc":
        raise UsageError("retries", access.retries, f"the retry policy is gRPC's: the load over {protocol} has none")
    address = check_servers("address", at, protocol, tls) if at is not None else ""
    asked_control = options.control_address
    control = check_servers("control-address", asked_control, "grpc", tls) if asked_control else ""
    control = control or default_control(address, protocol)
    check_use(access, (*address.split(","), *control.split(","), *(options.metrics_url or "").split(",")), options)
    if "," in address and not asked.several:
        raise UsageError("address", address, "this command loads or configures models: give it one server")
    for url in (options.metrics_url or "").split(",") if options.metrics_url else ():
        if not url.startswith(("http://", "https://")):
            raise UsageError("metrics-url", options.metrics_url, "write it like http://localhost:8002/metrics")
    timeout_s = positive("timeout-s", options.timeout_s) if options.timeout_s else None
    return MeasureOptions(
        models=asked.models,
        objective=objective,
        effort=EFFORTS[options.effort],
        effort_name=options.effort,
        output=check_output(options.output),
        title=options.title or asked.title or "",
        rate_per_s=positive("rate", asked.rate) if asked.rate else None,
        repository=options.repository,
        endpoint=Endpoint(
            address=address,
            control_address=control,
            protocol=protocol,
            metrics_url=options.metrics_url,
            timeout_s=timeout_s,
            shapes=dict(parse_shape(text) for text in options.shape),
            proxy=options.proxy,
            examples=check_examples("examples", options.examples),
            repository=options.repository,
            access=access,
        ),
        tritonserver=options.tritonserver,
        server_python=options.server_python,
        configmap=ConfigMapStore(check_name(options.save_configmap)) if options.save_configmap else None,
        workers=read_workers(options),
        server_machine=options.server_machine,
        several=asked.several,
    )


def _check_own_server(options: argparse.Namespace) -> None:
    """UsageError for what says where a running server is, and how it is reached."""
    guarded = ("tls", "ca", "client-certificate", "client-key", "server-name", "token-file", "retries")
    for name in ("metrics-url", "control-address", *guarded):
        if said := getattr(options, name.replace("-", "_")):
            raise UsageError(
                name, str(said), "it is for a running server (--address); the one of --repository has its own"
            )
    if options.header:
        raise UsageError("header", HIDDEN, "it is for a running server (--address)")


def read_models(text: str | None) -> tuple[str, ...] | None:
    """Different names, separated by commas; None for all of the repository."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise UsageError("models", text, "give different names, separated by commas")
    return names
