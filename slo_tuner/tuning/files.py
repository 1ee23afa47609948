"""Writes what deploys the winner: a values file for the chart, and an entry for the plan."""

from pathlib import Path

from command_line.errors import ResultsError
from command_line.files import write_whole

from .deployment import PLAN_ENTRY, plan_entry_text, values_file, values_text
from .record import TuningResults


def write_deployment(results: TuningResults, output: Path, plan: Path | None) -> dict[str, Path]:
    """The files, by the names under which a ConfigMap keeps them; none when nothing keeps the objective."""
    if not results.tuning.path:
        return {}
    model, winner = results.tuning.model, results.tuning.path[-1].configuration
    files = {"values.yaml": values_file(output, model), "plan-entry.yaml": output / PLAN_ENTRY}
    texts = {"values.yaml": values_text(results), "plan-entry.yaml": plan_entry_text(model, winner, plan)}
    for key, path in files.items():
        try:
            write_whole(path, texts[key])
        except OSError as error:
            raise ResultsError(f"{path} cannot be written: {error.strerror}") from None
    return files
