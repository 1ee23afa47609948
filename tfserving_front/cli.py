"""The command `tfserving-front`: options become values, and wrong ones end it with one line before it listens.

What serves is imported when it runs: `--help` needs no package but the project's own.
"""

import argparse
import signal
import socket
from collections.abc import Sequence

from command_line.arguments import check_address, is_host_name, positive
from command_line.arguments import port as checked_port
from command_line.entry import run_command
from command_line.errors import ServerError, UsageError
from command_line.extras import TRITON, naming_extra, need
from command_line.options import Parser, add_common

from .limits import Limits

PORT = 8888
EVERY_ADDRESS = "*"
_EXTRA = "front"
_PACKAGES = ("starlette", "uvicorn", "orjson", *TRITON)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal, which then ends the process; 1 when the address can't be had, 2 for wrong usage."""
    return run_command("tfserving-front", lambda: _serve(_parser().parse_args(arguments)))


def _serve(options: argparse.Namespace) -> int:
    need(_EXTRA, *_PACKAGES)
    address, limits = check_address("triton", options.triton), _limits(options)
    where = f"[{options.host}]" if ":" in options.host else options.host
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        raise ServerError(f"cannot listen on {where}:{options.port}: {error.strerror}") from None
    with naming_extra(_EXTRA):
        import uvicorn

        from .app import make_app
        from .connection import connection_class
    config = uvicorn.Config(
        make_app(address, limits),
        http=connection_class(limits),
        ws="none",
        access_log=False,
        log_level="error",
        # Longer than Google's load balancers keep a connection: who sends on it must be the one who ends it.
        timeout_keep_alive=620,
        # Requests in flight end first, each within its own limit.
        timeout_graceful_shutdown=int(limits.timeout_s) + 1,
    )
    # The process ends by the signal itself, once requests in flight have ended: so wants it who sends it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if not options.quiet:
        print(f"REST on {where}:{listener.getsockname()[1]} for Triton at {address}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _limits(options: argparse.Namespace) -> Limits:
    in_flight = positive("max-in-flight", options.max_in_flight)
    if not in_flight.is_integer():
        raise UsageError("max-in-flight", options.max_in_flight, "give a whole number above 0")
    request, answer = (
        int(1e6 * positive(f"max-{what}-megabytes", vars(options)[f"max_{what}_megabytes"]))
        for what in ("request", "answer")
    )
    return Limits(positive("timeout-s", options.timeout_s), request, answer, int(in_flight))


def _listen(host: str, port: str) -> socket.socket:
    if not is_host_name(host):
        raise UsageError("host", host, "give an address of this machine, or * for every one")
    number = checked_port("port", port)
    if host == EVERY_ADDRESS:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", number), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
        host = "0.0.0.0"
    family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, number), family=family, backlog=2048)


def _parser() -> argparse.ArgumentParser:
    limits = Limits()
    parser = Parser(
        prog="tfserving-front",
        description="Answers TensorFlow Serving's REST API for the models of a Triton server.",
    )
    add_common(parser)
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    for name, default, meaning in (
        ("triton", "localhost:8001", "gRPC address of Triton, as HOST:PORT"),
        ("host", EVERY_ADDRESS, "address to listen on; * is every one, IPv4 and IPv6"),
        ("port", str(PORT), "port to listen on; 0 picks a free one"),
        ("timeout-s", f"{limits.timeout_s:g}", "longest time that Triton may take for a request, in seconds"),
        ("max-request-megabytes", f"{limits.request_bytes / 1e6:g}", "largest body of a request"),
        ("max-answer-megabytes", f"{limits.answer_bytes / 1e6:g}", "largest answer, as Triton's tensors"),
        ("max-in-flight", str(limits.in_flight), "requests worked on at a time; four times as many may wait"),
    ):
        parser.add_argument(f"--{name}", default=default, help=f"{meaning} (default %(default)s)")
    return parser
