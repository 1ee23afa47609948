"""The commands `slo-tuner measure` and `slo-tuner ladder`."""

import argparse

from command_line.exit_codes import ExitCode

from ..ladder.run import Ladder
from ..session.options import read_measure_options
from ..session.progress import Progress
from ..session.session import open_session
from .finish import exit_code, finish


def measure_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Measure one model or several in turn."""
    checked = read_measure_options(options)
    with open_session(checked, command, Progress(options.quiet)) as session:
        results = Ladder(session, checked.rate_per_s).run()
    finish(checked, results)
    return exit_code(results.models)
