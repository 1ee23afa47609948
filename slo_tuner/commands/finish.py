"""How a measuring command ends: everything is written before anything that can fail, then shown."""

from collections.abc import Callable
from pathlib import Path

from command_line.exit_codes import ExitCode

from ..report.page import print_results, write_report
from ..results.schema import ModelResult, Results
from ..session.options import MeasureOptions


def finish(options: MeasureOptions, results: Results, write_more: Callable[[], dict[str, Path]] = dict) -> None:
    """Write the report and what `write_more` writes, keep all of it where asked, and print results and files.

    `write_more` returns its files by the names that they have in a ConfigMap. results.json is written already.
    """
    output = options.output
    print_results(results)
    print(f"results: {output / 'results.json'}")
    files = write_more()
    for name, path in files.items():
        print(f"{name}: {path}")
    write_report(results, output / "report.html")
    print(f"report: {output / 'report.html'}", flush=True)
    if options.configmap is not None:
        options.configmap.save({"results.json": output / "results.json", **files})


def exit_code(models: tuple[ModelResult, ...]) -> ExitCode:
    """FAILED where a model could not be measured; else whether any keeps the objective, as far as that is known."""
    if any(model.failure for model in models):
        return ExitCode.FAILED
    if any(model.rate_per_s for model in models):
        return ExitCode.DONE
    return ExitCode.UNKNOWN if any(model.generator_limited for model in models) else ExitCode.NOT_KEPT
