"""The command `slo-tuner`: which file does what was asked, and every failure one line and an exit code."""

import argparse
import importlib
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from command_line.errors import SloTunerError
from command_line.exit_codes import ExitCode

from .commands.parser import make_parser

_KEPT = {
    "tune": "trials (go on with --resume)",
    "sweep": "rounds measured completely",
    "tiers": "scenarios played completely",
}
"""What an interrupted command leaves in results.json, where it is not models."""
_MEASURING = {"measure": "measure", "ladder": "measure", "tune": "tune", "sweep": "sweep", "tiers": "tiers"}
_PLAIN = ("report", "cost")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code is one of `command_line.exit_codes`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser().parse_args(given)
    try:
        return _run(options, given)
    except SloTunerError as error:
        print(f"slo-tuner: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        kept = _KEPT.get(options.command, "models measured completely")
        left = f"; {kept} are in results.json" if options.command in _MEASURING else ""
        print(f"slo-tuner: interrupted{left}", file=sys.stderr)
        return ExitCode.INTERRUPTED


def _run(options: argparse.Namespace, given: list[str]) -> int:
    if options.command == "locustfile":
        print(Path(__file__).with_name("locustfile.py"))
        return ExitCode.DONE
    if options.command in _PLAIN:
        return _command(options.command)(options)
    # Locust replaces the standard library's sockets with gevent's: before anything opens one.
    import locust  # noqa: F401

    if options.command == "worker":
        from command_line.arguments import check_address

        from .load.worker import worker_command

        return worker_command(check_address("HOST:PORT", options.master.removeprefix("dns:///")))

    _interrupt_main_on_signals()
    if options.command == "serve":
        return _command("serve")(options)
    command = shlex.join(["slo-tuner", *given])
    return _command(_MEASURING[options.command])(options, command)


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
