"""Every way in which a run can end is written, read back, printed and made a page of, whatever it quotes."""

import json
import warnings
from pathlib import Path

import pytest
from outcomes import FOREIGN, OUTCOMES
from test_report import _point

from slo_tuner.cli import main
from slo_tuner.cost.cost import Priced, cost
from slo_tuner.cost.prices import CapacityMargin, read_prices
from slo_tuner.report.page import headline, render_report
from slo_tuner.report.read import read_any_results
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import ModelResult, Results
from slo_tuner.session.progress import Progress
from slo_tuner.slo.objective import Objective


@pytest.fixture(params=sorted(OUTCOMES))
def outcome(request: pytest.FixtureRequest) -> Results:
    results: Results = OUTCOMES[request.param]()
    return results


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_every_outcome_is_read_as_it_was_written(outcome: Results, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(outcome, path)
    json.loads(path.read_text(), parse_constant=_no_constant)
    assert read_any_results(path) == outcome


@pytest.mark.slow
def test_every_outcome_is_a_page_and_a_table(
    outcome: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    write_results(outcome, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["report", str(path)]) == 0
    printed, page = capsys.readouterr().out, (tmp_path / "report.html").read_text()
    assert "┃" in printed and "</html>" in page and " nan" not in page.lower()
    assert page.count("<svg") == 2 * page.count("<figure>")


@pytest.mark.parametrize("name", ["a model that failed", "all models failed", "foreign names", "a sweep"])
def test_foreign_text_is_printed_as_it_is(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    write_results(OUTCOMES[name](), path)
    assert main(["report", str(path)]) == 0
    assert FOREIGN in capsys.readouterr().out


def test_costs_of_foreign_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    from slo_tuner.commands.cost import print_costs

    offer = read_prices().offer("n1-standard-4")
    print_costs(
        cost([Priced(ModelResult(model=FOREIGN, rate_per_s=5.0), "[a machine]", offer)], 100.0, CapacityMargin())
    )
    printed = capsys.readouterr().out
    assert FOREIGN in printed and "[a machine]" in printed


def test_progress_prints_foreign_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.say(FOREIGN)
    progress.heading(FOREIGN, FOREIGN)
    progress.point(Objective(), _point(5.0, invalid_reason=FOREIGN))
    progress.point(Objective(), _point(5.0, latency=None, objective_quantile_ms=None))
    assert capsys.readouterr().err.count(FOREIGN) == 4


def test_only_one_place_makes_consoles() -> None:
    root = Path(__file__).parents[3]
    packages = ("slo_tuner", "model_repo_builder", "image_client", "tfserving_front", "command_line")
    makers = [
        str(path.relative_to(root))
        for package in packages
        for path in (root / package).rglob("*.py")
        if "Console(" in path.read_text().replace("plain_console(", "")
    ]
    assert makers == ["command_line/terminal.py"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("one point invalid", "Whether p95<=100ms is kept is not known: the load generator lagged."),
        ("all models failed", "No model could be measured."),
        ("missed", "No model keeps p95<=100ms at any measured rate."),
    ],
)
def test_a_headline_says_why_there_is_no_rate(name: str, said: str) -> None:
    assert headline(OUTCOMES[name]()) == said


def test_a_quantile_of_nothing_in_an_older_file_is_read_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(OUTCOMES["no request answered"](), path)
    path.write_text(path.read_text().replace('"objective_quantile_ms": null', '"objective_quantile_ms": NaN'))
    (point,) = read_any_results(path).models[0].points
    assert point.objective_quantile_ms is None


def test_the_page_of_a_failed_model_tells_why() -> None:
    page = render_report(OUTCOMES["the first model failed"]())
    assert "original: not measured: no memory" in page and "not measured</td>" in page
