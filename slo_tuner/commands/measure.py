"""The commands `slo-tuner measure` and `slo-tuner ladder`."""

import argparse

from command_line.exit_codes import ExitCode

from ..ladder.run import Ladder
from ..load.traffic.options import read_bounded_trace
from ..session.options import Asked, read_measure_options, read_models
from ..session.progress import Progress
from ..session.session import open_session
from .finish import exit_code, finish


def measure_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Measure one model or several in turn."""
    trace = None
    if options.command == "measure":
        trace = read_bounded_trace(options)
        asked = Asked((options.model,), options.rate if trace is None else None, several=True)
    else:
        asked = Asked(read_models(options.models))
    checked = read_measure_options(options, asked)
    with open_session(checked, command, Progress(options.quiet)) as session:
        results = Ladder(session, checked.rate_per_s, trace).run()
    finish(checked, results)
    return exit_code(results.models)
