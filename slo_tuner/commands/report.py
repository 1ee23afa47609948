"""The command `slo-tuner report`."""

import argparse
import sys

from command_line.errors import UsageError
from command_line.exit_codes import ExitCode

from ..report.page import print_results, write_report
from ..report.predictions import print_predictions, read_predictions
from ..report.read import read_any_results


def report_command(options: argparse.Namespace) -> ExitCode:
    """Read results.json, write the report beside it or to `--output`, and print the table."""
    results = read_any_results(options.results)
    predictions = read_predictions(options.speed_test) if options.speed_test else None
    target = options.output or options.results.with_name("report.html")
    if target.is_dir():
        raise UsageError("output", str(target), "name the HTML file; a directory is there")
    for read in filter(None, (options.results, options.speed_test)):
        if target.exists() and target.samefile(read):
            raise UsageError("output", str(target), f"name the HTML file; the page would replace {read}")
    print_results(results)
    if predictions is not None:
        print_predictions(predictions, results)
    write_report(results, target, predictions)
    print(f"report: {target}", file=sys.stderr)
    return ExitCode.DONE
