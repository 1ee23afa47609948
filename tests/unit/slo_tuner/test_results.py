"""results.json is read in every version that was ever published, and refused by name where it can't be."""

import json
from pathlib import Path

import pytest
from outcomes import OUTCOMES

from command_line.errors import ResultsFileError
from slo_tuner.report.page import render_report
from slo_tuner.report.read import read_any_results
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import Results

PUBLISHED = [
    path
    for path in sorted((Path(__file__).parents[3] / "results").rglob("*.json"))
    if '"schema_version"' in path.read_text()
]


@pytest.mark.slow
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: "/".join(path.parts[-2:]))
def test_published_results_have_a_page(path: Path) -> None:
    results = read_any_results(path)
    page = render_report(results)
    assert results.run.title in page.replace("&#39;", "'") and "None" not in page.split("<h2>")[0]


def test_all_kinds_are_published() -> None:
    assert {read_any_results(path).kind for path in PUBLISHED} >= {"ladder", "sweep", "tiers"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is no results file"),
        ("[]", "not a JSON object"),
        ('{"schema_version": 3}', "schema_version: 3 is not known; this slo-tuner reads 1 and 2"),
        ("{}", "schema_version: None is not known"),
        ('{"schema_version": 2}', "run: Field required"),
    ],
)
def test_what_is_no_results_file_is_refused_by_name(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(ResultsFileError, match=r"results\.json is no results file") as caught:
        read_any_results(path)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("kept", '"limit_ms": 100.0', '"limit_ms": 1e999', "1e999 is too large a number"),
        ("kept", '"limit_ms": 100.0', '"limit_ms": 0', "objective.limit_ms: Input should be greater than 0"),
        ("kept", '"quantile": 0.95', '"quantile": 1', "objective.quantile: Input should be less than"),
        ("kept", '"error_share": 0.01', '"error_share": -1', "objective.error_share: Input should be greater"),
        ("a fleet", '"name": "balanced"', '"name": "safe"', "choices: Value error, it has each of thrifty, balanced"),
    ],
)
def test_results_that_were_changed_by_hand_are_refused_by_their_field(
    name: str, old: str, new: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    write_results(OUTCOMES[name](), path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ResultsFileError) as caught:
        read_any_results(path)
    assert reason in str(caught.value)


def test_results_of_version_1_keep_their_points_under_the_new_names() -> None:
    path = next(path for path in PUBLISHED if json.loads(path.read_text()).get("schema_version") == 1)
    old, new = json.loads(path.read_text()), read_any_results(path)
    assert isinstance(new, Results)
    for before, after in zip(old["models"], new.models, strict=True):
        assert before["rate_per_s"] == after.rate_per_s
        assert [p["void_reason"] for p in before["points"]] == [p.invalid_reason for p in after.points]
