"""The command `slo-tuner tune`."""

import argparse

from command_line.exit_codes import ExitCode

from ..session.progress import Progress
from ..session.session import open_session
from ..tuning.files import write_deployment
from ..tuning.options import read_tune_options
from ..tuning.run import Tune
from ..tuning.text import tuning_notes
from .finish import finish


def tune_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Find the configuration of one model that serves the most, and write the files that deploy it."""
    checked = read_tune_options(options)
    with open_session(checked.measure, command, Progress(options.quiet)) as session:
        results = Tune(session, checked).run()
    finish(checked.measure, results, lambda: write_deployment(results, checked.measure.output, checked.plan))
    for note in (f"The search ended because {results.tuning.stopped}.", *tuning_notes(results)):
        print(note)
    if results.tuning.path:
        return ExitCode.DONE
    return ExitCode.UNKNOWN if results.tuning.generator is not None else ExitCode.NOT_KEPT
