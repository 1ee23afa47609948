"""The file results.json: written whole, and read with the field named that is wrong."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from command_line.errors import ResultsError, ResultsFileError
from command_line.files import write_whole

from .schema import Results
from .upgrade import upgraded


def write_results(results: Results, path: Path) -> None:
    """Write results.json so that a reader never sees half of it; ResultsError when that can't be done."""
    try:
        # JSON has no word for NaN: pydantic writes null, where Python's json would write what other readers refuse.
        write_whole(path, results.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}") from None


Kind = TypeVar("Kind", bound=Results)


def parse_results(text: str, path: Path, kind: type[Kind]) -> Kind:
    """Results from JSON text, of this version or an older one; ResultsFileError names the first field that is wrong."""
    try:
        # Versions before wrote NaN for a quantile of no requests.
        content = json.loads(text, parse_constant=lambda _: None)
        if not isinstance(content, dict):
            raise ResultsFileError(f"{path} is no results file of slo-tuner: it is not a JSON object")
        return kind.model_validate_json(json.dumps(upgraded(content)))
    except ValueError as error:
        raise ResultsFileError(f"{path} is no results file of slo-tuner: {_first(error)}") from None


def _first(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"


def read_results(path: Path, kind: type[Kind]) -> Kind:
    """Read results.json of a command; ResultsFileError names the first field that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ResultsFileError(f"{path} is no results file of slo-tuner: it is not text") from None
    return parse_results(text, path, kind)
