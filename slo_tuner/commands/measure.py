"""The commands `slo-tuner measure` and `slo-tuner ladder`."""

import argparse

from command_line.exit_codes import ExitCode

from ..ladder.run import Ladder
from ..session.options import Asked, read_measure_options, read_models
from ..session.progress import Progress
from ..session.session import open_session
from .finish import exit_code, finish


def measure_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Measure one model or several in turn."""
    if options.command == "measure":
        asked = Asked((options.model,), options.rate, several=True)
    else:
        asked = Asked(read_models(options.models))
    checked = read_measure_options(options, asked)
    with open_session(checked, command, Progress(options.quiet)) as session:
        results = Ladder(session, checked.rate_per_s).run()
    finish(checked, results)
    return exit_code(results.models)
