"""How a measuring command ends: all is written and kept before it is shown, and nothing that fails hides the rest."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from command_line.errors import ResultsError, SloTunerError
from command_line.exit_codes import ExitCode

from ..report.page import print_results, write_report
from ..results.schema import ModelResult, Results
from ..session.configmap import ConfigMapStore
from ..session.log_copy import log_copy
from ..session.options import MeasureOptions

Files = dict[str, Path]
"""Files by the names that they have in a ConfigMap."""


def finish(options: MeasureOptions, results: Results, write_more: Callable[[], Files] = dict) -> None:
    """Write what `write_more` writes, keep it with results.json where asked, write the report, print the table.

    results.json is written already. Each step is done whatever becomes of the others; ResultsError says at the end
    what failed.
    """
    failures: list[str] = []
    files: Files = {"results.json": options.output / "results.json"}
    files |= _attempted(write_more, failures) or {}
    if options.configmap is not None:
        _keep(options.configmap, files, failures)
    report = options.output / "report.html"
    if _attempted(lambda: _written(results, report), failures):
        files["report.html"] = report
    print_results(results)
    for name, path in files.items():
        print(f"{Path(name).stem if name in _OWN else name}: {path}", flush=True)
    if failures:
        raise ResultsError("; ".join(failures))


_OWN = ("results.json", "report.html")


_Result = TypeVar("_Result")


def _attempted(step: Callable[[], _Result], failures: list[str]) -> _Result | None:
    try:
        return step()
    except SloTunerError as error:
        failures.append(str(error))
        return None


def _written(results: Results, path: Path) -> bool:
    try:
        write_report(results, path)
    except ResultsError:
        raise
    except Exception as error:
        # Hours of measuring must not end in the traceback of a plot: the page can be made again from results.json.
        raise ResultsError(f"{path} cannot be made: {type(error).__name__}: {error}") from error
    return True


def _keep(store: ConfigMapStore, files: Files, failures: list[str]) -> None:
    """Save to the ConfigMap; where that is refused, print the files to the log of the Job, which outlives its Pod's
    folder."""
    try:
        store.save(files)
    except ResultsError as error:
        failures.append(f"{error}; the results are in the output above, between the lines that begin with -----")
        print(log_copy(files), flush=True)


def exit_code(models: tuple[ModelResult, ...]) -> ExitCode:
    """FAILED where a model could not be measured; else whether any keeps the objective, as far as that is known."""
    if any(model.failure for model in models):
        return ExitCode.FAILED
    if any(model.rate_per_s for model in models):
        return ExitCode.DONE
    return ExitCode.UNKNOWN if any(model.generator_limited for model in models) else ExitCode.NOT_KEPT
