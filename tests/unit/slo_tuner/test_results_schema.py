"""The published JSON Schema is that of the program, and describes what it writes."""

import json
from pathlib import Path

import jsonschema
import pytest
from outcomes import OUTCOMES

from slo_tuner.report.json_schema import PUBLISHED, schema_text
from slo_tuner.results.file import write_results

DOCS = PUBLISHED.with_name("results.md")


def test_the_published_schema_is_current() -> None:
    said = "write it: python -m slo_tuner.report.json_schema"
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), said


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_every_outcome_is_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(OUTCOMES[name](), path)
    jsonschema.validate(json.loads(path.read_text()), json.loads(PUBLISHED.read_text()))


@pytest.mark.parametrize("change", [{"kind": "other"}, {"schema_version": 1}, {"more": 1}, {"models": None}])
def test_other_files_are_not_valid(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(OUTCOMES["kept"](), path)
    content = json.loads(path.read_text()) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(PUBLISHED.read_text()))


def test_the_page_of_the_results_names_every_record_and_field() -> None:
    page = DOCS.read_text()
    for name, record in json.loads(PUBLISHED.read_text())["$defs"].items():
        missing = [field for field in record.get("properties", {}) if f"`{field}`" not in page]
        assert not missing, f"docs/reference/results.md does not say what {', '.join(missing)} of {name} mean"
