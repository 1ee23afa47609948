"""The command `tfserving-front`: options become values, and wrong ones end it with one line before it listens."""

import argparse
import socket
import sys
from collections.abc import Sequence

import uvicorn

from command_line.arguments import check_address, positive
from command_line.errors import UsageError

from . import __version__
from .app import Limits, make_app

PORT = 8888


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal, which then ends the process; 1 when the address can't be had, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        address, limits = check_address("triton", options.triton), _limits(options)
        listener = _listen(options.host, options.port)
    except UsageError as error:
        print(f"tfserving-front: error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = f"{options.host}:{options.port}"
        print(f"tfserving-front: error: cannot listen on {where}: {error.strerror}", file=sys.stderr)
        return 1
    config = uvicorn.Config(
        make_app(address, limits),
        access_log=False,
        log_level="warning",
        # Longer than Google's load balancers keep a connection: who sends on it must be the one who ends it.
        timeout_keep_alive=620,
        # Requests in flight end first, each within its own limit.
        timeout_graceful_shutdown=int(limits.timeout_s) + 1,
    )
    print(f"REST on {options.host}:{listener.getsockname()[1]} for Triton at {address}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _limits(options: argparse.Namespace) -> Limits:
    in_flight = positive("max-in-flight", options.max_in_flight)
    if not in_flight.is_integer():
        raise UsageError("max-in-flight", options.max_in_flight, "give a whole number above 0")
    megabytes = positive("max-request-megabytes", options.max_request_megabytes)
    return Limits(positive("timeout-s", options.timeout_s), int(megabytes * 1e6), int(in_flight))


def _listen(host: str, port: str) -> socket.socket:
    if not port.isdigit() or int(port) > 65535:
        raise UsageError("port", port, "give a port from 1 to 65535, or 0 to pick a free one")
    return socket.create_server((host, int(port)), backlog=2048)


def _parser() -> argparse.ArgumentParser:
    limits = Limits()
    parser = argparse.ArgumentParser(
        prog="tfserving-front",
        description="Answers TensorFlow Serving's REST API for the models of a Triton server.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    for name, default, meaning in (
        ("triton", "localhost:8001", "gRPC address of Triton, as HOST:PORT"),
        ("host", "0.0.0.0", "address to listen on"),
        ("port", str(PORT), "port to listen on; 0 picks a free one"),
        ("timeout-s", f"{limits.timeout_s:g}", "longest time that Triton may take for a request, in seconds"),
        ("max-request-megabytes", f"{limits.request_bytes / 1e6:g}", "largest body of a request"),
        ("max-in-flight", str(limits.in_flight), "requests worked on at a time; further ones wait"),
    ):
        parser.add_argument(f"--{name}", default=default, help=f"{meaning} (default %(default)s)")
    return parser
