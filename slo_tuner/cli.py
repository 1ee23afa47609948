"""The command `slo-tuner`: which file does what was asked."""

import argparse
import contextlib
import importlib
import json
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from command_line.entry import run_command
from command_line.exit_codes import ExitCode
from command_line.extras import TRITON, naming_extra, need

from .commands.parser import WITH_RESULTS, make_parser

_KEPT = {
    "tune": "trials (go on with --resume)",
    "sweep": "rounds measured completely",
    "tiers": "scenarios played completely",
}
"""What an interrupted command leaves in results.json, where it is not models."""
_MEASURING = {"measure": "measure", "ladder": "measure", "tune": "tune", "sweep": "sweep", "tiers": "tiers"}
_PLAIN = ("report", "cost", "compare")
_EXTRA = "tuner"
_LOAD = ("locust", "gevent", "geventhttpclient", "urllib3", "prometheus_client", *TRITON)
"""What makes load and asks a server; TRITON comes last, because to find google.protobuf imports the package google."""
_REPORT = ("numpy", "scipy", "matplotlib", "jinja2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code is one of `command_line.exit_codes`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = argparse.Namespace(command="")
    # It warns of each home that can't be written, where it does without: its cache is made anew.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)

    def work() -> int:
        make_parser().parse_args(given, options)
        with naming_extra(_EXTRA):
            as_json = options.command in WITH_RESULTS and options.json
            return _with_json(options, given) if as_json else _run(options, given)

    def interrupted() -> str:
        kept = _KEPT.get(options.command, "models measured completely")
        return f"interrupted; {kept} are in results.json" if options.command in _MEASURING else "interrupted"

    return run_command("slo-tuner", work, interrupted)


def _with_json(options: argparse.Namespace, given: list[str]) -> int:
    """Run a command with results: they go to standard output, and what people read to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        code = _run(options, given)
    print(_in_ascii(_results_file(options).read_text(encoding="utf-8")), end="")
    return code


def _in_ascii(document: str) -> str:
    """JSON that is JSON in any encoding of standard output; only its texts have other characters."""
    return re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1], document)


def _results_file(options: argparse.Namespace) -> Path:
    """The results.json that a command has read or written last."""
    if options.command == "report":
        return Path(options.results)
    return Path(options.results[0] if options.command == "cost" else options.output / "results.json")


def _run(options: argparse.Namespace, given: list[str]) -> int:
    if options.command == "locustfile":
        print(Path(__file__).with_name("locustfile.py"))
        return ExitCode.DONE
    need(_EXTRA, *(() if options.command in _PLAIN else _LOAD), *_REPORT)
    if options.command == "fleet":
        return _command("fleet")(options, given)
    if options.command in _PLAIN:
        return _command(options.command)(options)
    # Locust replaces the standard library's sockets with gevent's: before anything opens one.
    import locust  # noqa: F401

    if options.command == "worker":
        from command_line.arguments import check_address

        from .access.settings import read_access
        from .load.worker import worker_command

        address = check_address("HOST:PORT", options.master.removeprefix("dns:///"))
        return worker_command(address, read_access(None, os.environ))

    _interrupt_main_on_signals()
    if options.command == "serve":
        return _command("serve")(options)
    command = shlex.join(["slo-tuner", *_without_values(given, options.header)])
    return _command(_MEASURING[options.command])(options, command)


def _without_values(given: Sequence[str], headers: Sequence[str]) -> list[str]:
    """The command line as results keep it: headers without their values, which may be secrets."""
    shown = list(given)
    for place, argument in enumerate(shown):
        for header in headers:
            if argument.endswith(header):
                shown[place] = f"{argument.removesuffix(header)}{header.partition('=')[0]}=..."
    return shown


def _command(name: str) -> Callable[..., int]:
    """A command's function. Its file is imported when it runs: `slo-tuner --help` needs none of the libraries."""
    found: Callable[..., int] = getattr(importlib.import_module(f"slo_tuner.commands.{name}"), f"{name}_command")
    return found


def _interrupt_main_on_signals() -> None:
    """SIGINT and SIGTERM interrupt the main greenlet, wherever it waits, so that the server is stopped too.

    Python would raise KeyboardInterrupt in whatever greenlet happens to run.
    """
    import gevent

    main_greenlet = gevent.getcurrent()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, gevent.kill, main_greenlet, KeyboardInterrupt)
