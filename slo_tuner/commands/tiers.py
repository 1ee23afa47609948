"""The command `slo-tuner tiers`."""

import argparse

from command_line.exit_codes import ExitCode

from ..session.progress import Progress
from ..session.session import open_session
from ..tiers.options import read_tiers_options
from ..tiers.run import TierRuns
from .finish import finish


def tiers_command(options: argparse.Namespace, command: str) -> ExitCode:
    """Play bursts on two models of one server, with tiers and without."""
    checked = read_tiers_options(options)
    with open_session(checked.measure, command, Progress(options.quiet)) as session:
        results = TierRuns(session, checked).run()
    finish(checked.measure, results)
    tiers = results.tiers
    kept = all(tiers.models[0].keeps(scenario.tiers[0].phases[1]) for scenario in tiers.scenarios)
    return ExitCode.DONE if kept else ExitCode.NOT_KEPT
