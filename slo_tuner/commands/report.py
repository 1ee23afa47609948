"""The command `slo-tuner report`."""

import argparse
import sys

from command_line.exit_codes import ExitCode

from ..report.page import print_results, write_report
from ..report.read import read_any_results


def report_command(options: argparse.Namespace) -> ExitCode:
    """Read results.json, write the report beside it or to `--output`, and print the table."""
    results = read_any_results(options.results)
    target = options.output or options.results.with_name("report.html")
    print_results(results)
    write_report(results, target)
    print(f"report: {target}", file=sys.stderr)
    return ExitCode.DONE
