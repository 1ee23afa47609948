"""The command `slo-tuner sweep`."""

import argparse

from command_line.exit_codes import ExitCode

from ..session.progress import Progress
from ..session.session import open_session
from ..sweep.options import read_sweep_options
from ..sweep.run import Sweeps
from .finish import finish


def sweep_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Measure latency and throughput of one model through one or several addresses."""
    checked = read_sweep_options(options)
    with open_session(checked.measure, command, Progress(options.quiet)) as session:
        results = Sweeps(session, checked).run()
    finish(checked.measure, results)
    return ExitCode.DONE
