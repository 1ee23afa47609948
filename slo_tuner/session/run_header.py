"""What every run says of itself in results.json, whatever it measures."""

import datetime

from command_line.environment import Machine, describe_machine, describe_software
from command_line.proxy import proxy_for

from ..access.addresses import is_tls
from ..results.schema import ClientAccess, RunHeader, ServerFacts
from ..triton.control import Control
from ..triton.endpoint import Endpoint
from .options import MeasureOptions

_PACKAGES = ("locust", "gevent", "grpcio", "tritonclient", "protobuf", "numpy")


def make_header(
    options: MeasureOptions, command: str, control: Control, endpoint: Endpoint, load_workers: int
) -> RunHeader:
    """The header of a run that begins now; its title is the command's to choose where none was asked for."""
    client = describe_machine()
    return RunHeader(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        title=options.title,
        command=command,
        protocol=endpoint.protocol,
        software=describe_software(_PACKAGES),
        client=client,
        load_workers=load_workers,
        proxy=proxy_for(endpoint.addresses[0], endpoint.proxy) if endpoint.protocol == "grpc" else "",
        access=_access(endpoint),
        server=_server_facts(options, control, endpoint, client),
    )


def _access(endpoint: Endpoint) -> ClientAccess:
    access, tls = endpoint.access, any(is_tls(address) for address in endpoint.addresses)
    return ClientAccess(
        tls=tls,
        client_certificate=tls and access.certificate is not None,
        token=bool(access.token_file or access.token_value),
        headers=tuple(name for name, _ in access.headers),
        server_name=access.server_name if tls else "",
        retries=access.retries,
    )


def _server_facts(options: MeasureOptions, control: Control, endpoint: Endpoint, client: Machine) -> ServerFacts:
    """A server on another machine is not described by this one: what it runs on is what the user says."""
    said = control.server()
    return ServerFacts(
        name=str(said.get("name", "")),
        version=str(said.get("version", "")),
        address="" if endpoint.local else endpoint.address,
        machine=client if endpoint.local else None,
        machine_name=options.server_machine,
        machine_from="asked" if options.server_machine else "local" if endpoint.local else "unknown",
    )
