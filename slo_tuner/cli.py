"""The command `slo-tuner`: options become values, values become work, and every failure one line and an exit code."""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .errors import SloTunerError
from .options import make_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it did what was asked, 1 when it failed, 2 for wrong usage, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser().parse_args(given)
    try:
        return _run(options, given)
    except SloTunerError as error:
        print(f"slo-tuner: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("slo-tuner: interrupted; models measured completely are in results.json", file=sys.stderr)
        return 130


def _interrupt_main_on_signals() -> None:
    """SIGINT and SIGTERM interrupt the main greenlet, wherever it waits, so that the server is stopped too.

    Python would raise KeyboardInterrupt in whatever greenlet happens to run.
    """
    import gevent

    main_greenlet = gevent.getcurrent()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, gevent.kill, main_greenlet, KeyboardInterrupt)


def _run(options: argparse.Namespace, given: list[str]) -> int:
    if options.command == "locustfile":
        print(Path(__file__).with_name("locustfile.py"))
        return 0
    if options.command == "report":
        from .report import report_command

        return report_command(options.results, options.output)
    if options.command == "cost":
        from .cost_command import cost_command

        return cost_command(options)
    # Locust replaces the standard library's sockets with gevent's: before anything opens one.
    import locust  # noqa: F401

    if options.command == "worker":
        from .validation import check_address
        from .worker import worker_command

        return worker_command(check_address("HOST:PORT", options.master))

    _interrupt_main_on_signals()
    if options.command == "serve":
        return _serve(options)
    return _measure(options, shlex.join(["slo-tuner", *given]))


def _serve(options: argparse.Namespace) -> int:
    from .control import Control
    from .server import TritonProcess, check_repository, pick_ports
    from .tritonserver import find_tritonserver

    check_repository(options.repository)
    ports = pick_ports(options.http_port, options.grpc_port, options.metrics_port)
    program = find_tritonserver(options.tritonserver, options.server_python)
    with TritonProcess(program, options.repository, ports, options.log) as server:
        with closing(Control(server.grpc_address, server)) as control:
            for model in options.load:
                print(f"{model}: ready after {control.load(model, 300.0):.1f} s", flush=True)
            models = ", ".join(control.models())
        print(f"gRPC {server.grpc_address}, HTTP {server.http_address}, metrics {server.metrics_url}", flush=True)
        print(f"models: {models}; Ctrl-C stops the server", flush=True)
        server.wait()
        server.check()
    return 0


def _measure(options: argparse.Namespace, command: str) -> int:
    from .ladder import Ladder
    from .progress import Progress, print_table
    from .report import write_report
    from .request import read_request

    request = read_request(options)
    with request.server() as (control, endpoint), request.crew() as crew:
        job = request.job(control, endpoint, command)
        results = Ladder(job, control, Progress(options.quiet), crew).run()
    write_report(results, job.output / "report.html")
    if request.configmap is not None:
        request.configmap.save(job.output / "results.json")
    print_table(results)
    print(f"results: {job.output / 'results.json'}, report: {job.output / 'report.html'}")
    return 0
