"""The server of a session: its own on a repository, or the running one at an address."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from command_line.errors import ServerError, UsageError

from ..triton.control import Control
from ..triton.endpoint import Endpoint
from ..triton.find_tritonserver import find_tritonserver
from ..triton.server_process import TritonProcess, pick_ports
from .options import MeasureOptions


@contextmanager
def open_server(options: MeasureOptions) -> Iterator[tuple[Control, Endpoint]]:
    """A server to measure, as one to ask and one to send load to.

    ServerError when it, or its metrics, can't be reached; UsageError for a model that it does not have.
    """
    if options.repository is None:
        endpoint = options.endpoint.expanded()
        if len(endpoint.addresses) > 1 and not options.several:
            raise UsageError("address", options.endpoint.address, f"it is {len(endpoint.addresses)} servers; give one")
        with closing(_control(endpoint, endpoint.control_addresses[0])) as control:
            control.check_reachable()
            _check(options, control, endpoint)
            if len(endpoint.addresses) > 1:
                _check_alike(options.models or (), endpoint)
            yield control, endpoint
        return
    program = find_tritonserver(options.tritonserver, options.server_python)
    log = options.output / "tritonserver.log"
    with TritonProcess(program, options.repository, pick_ports(), log, options.server_arguments) as process:
        endpoint = replace(
            options.endpoint,
            address=process.http_address if options.endpoint.protocol == "http" else process.grpc_address,
            control_address=process.grpc_address,
            metrics_url=process.metrics_url,
            local=True,
        )
        # Closed before the server is stopped: tritonserver waits for its gRPC connections to end.
        with closing(Control(process.grpc_address, process)) as control:
            try:
                _check(options, control, endpoint)
                yield control, endpoint
            except ServerError:
                process.check()  # that the server died says more than what failed because of it
                raise


def _control(endpoint: Endpoint, address: str) -> Control:
    return Control(address, proxy=endpoint.proxy, access=endpoint.access, server_name=endpoint.name_of(address))


def _check_alike(models: Sequence[str], endpoint: Endpoint) -> None:
    """ServerError unless all servers serve the models now, in the same configuration: they are measured as one."""
    first: dict[str, bytes] = {}
    for address in endpoint.control_addresses:
        with closing(_control(endpoint, address)) as control:
            control.check_reachable()
            for model in models:
                if not control.is_ready(model):
                    raise ServerError(f"model {model!r} is not ready at {address}: load it on each of the servers")
                config = control.config(model).SerializeToString(deterministic=True)
                if config != first.setdefault(model, config):
                    raise ServerError(
                        f"model {model!r} has another configuration at {address} than at "
                        f"{endpoint.control_addresses[0]}: servers that are measured as one serve the same"
                    )


def _check(options: MeasureOptions, control: Control, endpoint: Endpoint) -> None:
    available = control.models()
    if not available:
        raise UsageError("models", "", "the server's repository has no model")
    for model in options.models or ():
        if model not in available:
            raise UsageError("model", model, f"the server's repository has {', '.join(available)}")
    if metrics := endpoint.metrics():
        metrics.check()
