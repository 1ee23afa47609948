"""The command `slo-tuner`: options become values, values become work, and every failure one line and an exit code."""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SloTunerError
from .options import make_parser

if TYPE_CHECKING:
    from .request import Request
    from .results import Results

_KEPT = {
    "tune": "trials (go on with --resume)",
    "sweep": "rounds measured completely",
    "tiers": "scenarios played completely",
}
"""What an interrupted command leaves in results.json, where it is not models."""


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
        kept = _KEPT.get(options.command, "models measured completely")
        print(f"slo-tuner: interrupted; {kept} are in results.json", file=sys.stderr)
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

        return worker_command(check_address("HOST:PORT", options.master.removeprefix("dns:///")))

    _interrupt_main_on_signals()
    if options.command == "serve":
        return _serve(options)
    command = shlex.join(["slo-tuner", *given])
    return {"tune": _tune, "sweep": _sweep, "tiers": _tiers}.get(options.command, _measure)(options, command)


def _serve(options: argparse.Namespace) -> int:
    from .control import Control
    from .server import TritonProcess, check_repository, pick_ports
    from .tiers.rate_limit import rate_limit_arguments
    from .tritonserver import find_tritonserver
    from .validation import whole

    check_repository(options.repository)
    executions = options.tier_executions
    extra = rate_limit_arguments(whole("tier-executions", executions)) if executions else ()
    ports = pick_ports(options.http_port, options.grpc_port, options.metrics_port)
    program = find_tritonserver(options.tritonserver, options.server_python)
    with TritonProcess(program, options.repository, ports, options.log, extra) as server:
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
    from .progress import Progress
    from .request import read_request

    request, progress = read_request(options), Progress(options.quiet)
    with request.server() as (control, endpoint), request.crew(progress.say) as crew:
        results = Ladder(request.job(control, endpoint, command), control, progress, crew).run()
    _finish(request, results)
    return 0


def _tune(options: argparse.Namespace, command: str) -> int:
    from .progress import Progress
    from .tuning.files import write_deployment
    from .tuning.request import read_tune_request
    from .tuning.run import Server, Tune
    from .tuning.words import tuning_notes

    asked, progress = read_tune_request(options), Progress(options.quiet)
    with asked.request.server() as (control, endpoint), asked.request.crew(progress.say) as crew:
        results = Tune(asked, Server(control, endpoint, crew), command, progress).run()
    _finish(asked.request, results, lambda: write_deployment(results, asked.request.output, asked.plan))
    for note in (f"The search ended because {results.tuning.stopped}.", *tuning_notes(results)):
        print(note)
    return 0 if results.tuning.way else 1


def _sweep(options: argparse.Namespace, command: str) -> int:
    from .progress import Progress
    from .ways.request import read_sweep_request
    from .ways.run import Sweeps

    asked, progress = read_sweep_request(options), Progress(options.quiet)
    request = asked.request
    with request.server() as (control, endpoint), request.crew(progress.say) as crew:
        results = Sweeps(request.job(control, endpoint, command), asked, control, progress, crew).run()
    _finish(request, results)
    return 0


def _tiers(options: argparse.Namespace, command: str) -> int:
    from .progress import Progress
    from .tiers.request import read_tiers_request
    from .tiers.run import TierRuns

    asked = read_tiers_request(options)
    with asked.request.server() as (control, endpoint):
        job = asked.request.job(control, endpoint, command)
        results = TierRuns(job, asked, control, Progress(options.quiet)).run()
    _finish(asked.request, results)
    return 0


def _finish(request: "Request", results: "Results", write_more: Callable[[], dict[str, Path]] = dict) -> None:
    """Write the report and what `write_more` writes, keep all of it where asked, and print results and files.

    `write_more` returns its files by the names that they have in a ConfigMap.
    """
    from .report import print_results, write_report

    output = request.output
    write_report(results, output / "report.html")
    files = write_more()
    if request.configmap is not None:
        request.configmap.save({"results.json": output / "results.json", **files})
    print_results(results)
    print(f"results: {output / 'results.json'}, report: {output / 'report.html'}")
    for name, path in files.items():
        print(f"{name}: {path}")
