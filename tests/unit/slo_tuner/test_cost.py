"""Costs follow from rates and prices, say what they rest on, and are kept with the results."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from slo_tuner.cli import main
from slo_tuner.commands.cost import print_costs
from slo_tuner.cost.cost import Priced, bound, cheapest, cost
from slo_tuner.cost.prices import CapacityMargin, read_prices
from slo_tuner.report.page import render_report
from slo_tuner.results.file import read_results, write_results
from slo_tuner.results.schema import ModelResult, Results
from slo_tuner.slo.objective import Objective

LADDER = Path(__file__).parents[3] / "results" / "cpu-amd-epyc-2-cores" / "results.json"
PRICES = read_prices()


def _measured(model: str, rate: float | None, machine: str, limited: bool = False) -> Priced:
    found = ModelResult(model=model, rate_per_s=rate, generator_limited=limited)
    return Priced(found, "a machine", PRICES.offer(machine))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of a real ladder's results."""
    return Path(shutil.copy(LADDER, tmp_path / "results.json"))


def test_the_published_ladder_costs_what_its_rates_and_prices_say() -> None:
    """The reference's requests per second on n1-standard-4 with a T4 at $0.54 an hour, and 96 cores at $4.56.

    By hand: a million inferences take 1e6 / 253.1 = 3951.0 s, which cost $0.59265; 1e6 / 2236.6 = 447.11 s, $0.067066.
    Cores that serve 20 a second need 13.889 h, $63.333: 944.35 times as much as the tuned variant on the T4.
    """
    variants = [("cores", 20, "n1-standard-96"), ("original", 253.1, "n1-standard-4+T4")]
    variants.append(("tftrt_int8_bs16_count4", 2236.6, "n1-standard-4+T4"))
    found = cost([_measured(*variant) for variant in variants], 1000, CapacityMargin())
    assert [row.usd_per_million for row in found.rows] == pytest.approx([63.333, 0.59265, 0.067066], rel=1e-4)
    assert [row.times_cheaper for row in found.rows] == pytest.approx([1, 106.86, 944.35], rel=1e-4)
    best = cheapest(found)
    assert best is not None and best.model == "tftrt_int8_bs16_count4"


def test_a_fleet_costs_its_machines() -> None:
    (row,) = cost([_measured("m", 100, "n1-standard-4+T4")], 400, CapacityMargin(headroom=0.2, zones=3)).rows
    assert (row.machines, row.fleet_usd_per_hour) == (8, pytest.approx(8 * 0.54))


def test_a_variant_that_missed_the_objective_has_no_cost_and_is_no_baseline() -> None:
    found = cost(
        [_measured("missed", None, "n1-standard-4"), _measured("kept", 5, "n1-standard-4")], 1, CapacityMargin()
    )
    assert found.rows[0].usd_per_million is None and found.rows[0].machines is None
    assert found.rows[1].times_cheaper == 1


@pytest.mark.slow
def test_nothing_kept_is_a_result_too(results: Path) -> None:
    nothing = cost([_measured("missed", None, "n1-standard-4")], 1, CapacityMargin())
    assert cheapest(nothing) is None
    page = render_report(read_results(results, Results).model_copy(update={"cost": nothing}))
    assert "What it costs" in page and "not met" in page


@pytest.mark.slow
def test_costs_are_kept_with_the_results_and_shown_by_the_report(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", str(results), "--machine=n1-standard-4", "--total-rate=100"]) == 0
    printed = capsys.readouterr().out
    assert "original" in printed and "rates measured on AMD EPYC, 2 cores" in printed
    kept = read_results(results, Results).cost
    assert kept is not None and len(kept.rows) == 4
    (results.parent / "report.html").unlink()
    assert main(["report", str(results)]) == 0
    page = (results.parent / "report.html").read_text()
    assert "What it costs" in page and "US dollars for a million inferences" in page


def test_a_report_is_a_file_and_no_directory(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results), f"--output={results.parent}"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "is not allowed; name the HTML file; a directory is there" in said.err


@pytest.mark.slow
def test_without_a_machine_all_that_have_no_gpu_are_priced(results: Path) -> None:
    assert main(["cost", str(results)]) == 0
    kept = read_results(results, Results).cost
    assert kept is not None and {row.machine for row in kept.rows} == {"n1-standard-4", "n1-standard-96"}


@pytest.mark.slow
def test_two_results_are_compared_each_on_its_machine(results: Path, tmp_path: Path) -> None:
    other = shutil.copy(results, tmp_path / "other.json")
    assert main(["cost", str(results), str(other), "--machine=n1-standard-96", "--machine=n1-standard-4+T4"]) == 0
    kept = read_results(results, Results).cost
    assert kept is not None
    originals = [row for row in kept.rows if row.model == "original"]
    assert originals[1].times_cheaper == pytest.approx(4.56 / 0.54)


@pytest.mark.slow
def test_a_rate_that_the_generator_limited_costs_at_most(results: Path) -> None:
    found = cost([_measured("m", 100, "n1-standard-4", limited=True)], 400, CapacityMargin())
    page = render_report(read_results(results, Results).model_copy(update={"cost": found}))
    assert re.search(r"≥ 100\.0</td><td>≤ 0\.528", page)


def test_a_ratio_to_a_rate_that_the_generator_limited_is_at_most_that() -> None:
    limited = cost(
        [_measured("base", 20, "n1-standard-96", limited=True), _measured("fast", 100, "n1-standard-4")],
        1,
        CapacityMargin(),
    )
    assert [bound(row, limited) for row in limited.rows] == ["", "<="]
    both = cost([_measured(name, 20, "n1-standard-4", limited=True) for name in "ab"], 1, CapacityMargin())
    assert [bound(row, both) for row in both.rows] == ["", "?"]


def test_a_price_of_less_than_a_cent_is_not_rounded_away(capsys: pytest.CaptureFixture[str]) -> None:
    print_costs(cost([_measured("m", 31_776, "n1-standard-4+T4")], 1, CapacityMargin()))
    assert " 0.00472 " in capsys.readouterr().out


def _changed(results: Path, **changes: Any) -> None:
    """The results with the first model changed."""
    found = read_results(results, Results)
    first = found.models[0].model_copy(update=changes)
    write_results(found.model_copy(update={"models": (first, *found.models[1:])}), results)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_per_s": None, "failure": "no memory"}, "not measured"),
        ({"rate_per_s": None, "generator_limited": True}, "invalid: the load generator lagged"),
        ({"rate_per_s": None}, "not met"),
        (
            {"disturbed": "other programs took 0.9 of 2 cores"},
            "original: disturbed: other programs took 0.9 of 2 cores",
        ),
        ({"generator_limited": True}, "original: the load generator set the rate"),
    ],
)
def test_what_weakens_a_rate_or_why_there_is_none_stands_beside_its_cost(
    changes: dict[str, Any], said: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _changed(results, **changes)
    assert main(["cost", str(results), "--machine=n1-standard-4"]) == 0
    assert said in capsys.readouterr().out
    assert said.removeprefix("original: ") in (results.parent / "report.html").read_text()


def test_a_rate_that_was_asked_for_costs_at_most_that() -> None:
    points = [
        point.model_copy(update={"purpose": "single"}) for point in read_results(LADDER, Results).models[0].points
    ]
    model = ModelResult(model="m", rate_per_s=5.0, points=tuple(points[:1]))
    (row,) = cost([Priced(model, "a machine", PRICES.offer("n1-standard-4"))], 1, CapacityMargin()).rows
    assert row.at_most and "no highest one was searched" in row.note


def test_rates_within_another_objective_are_said(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read_results(results, Results)
    other = tmp_path / "other.json"
    write_results(found.model_copy(update={"objective": Objective(limit_ms=500.0)}), other)
    assert main(["cost", str(results), str(other), "--machine=n1-standard-4", "--machine=n1-standard-96"]) == 0
    assert "original: within another objective, p95<=500ms" in capsys.readouterr().out


def test_rates_of_an_unknown_server_need_a_machine(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_results(results, Results)
    unknown = found.run.server.model_copy(update={"machine": None, "machine_from": "unknown"})
    write_results(found.model_copy(update={"run": found.run.model_copy(update={"server": unknown})}), results)
    before = results.read_bytes()
    assert main(["cost", str(results)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "slo-tuner: error: machine: '' is not allowed; the results don't tell what the server ran on"
    )
    assert "n1-standard-4" in line and results.read_bytes() == before
    assert main(["cost", str(results), "--machine=n1-standard-4"]) == 0
    assert "rates measured on an unknown machine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--machine=a4"], "machine: 'a4'"),
        (["--total-rate=0"], "total-rate: '0'"),
        (["--headroom=95%"], "headroom: '95%'"),
        (["--zones=0"], "zones: '0'"),
        (["--prices=absent.yaml"], "prices: 'absent.yaml'"),
    ],
)
def test_a_wrong_question_is_refused_and_nothing_is_written(
    arguments: list[str], field: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results.read_bytes()
    assert main(["cost", str(results), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"slo-tuner: error: {field} is not allowed; ")
    assert results.read_bytes() == before


def test_several_results_need_as_many_machines(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copy(results, tmp_path / "other.json")
    assert main(["cost", str(results), str(other), "--machine=n1-standard-4"]) == 2
    assert "give one machine for each of the 2 results" in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["-5", "0", "1e-300", '"many"'])
def test_a_rate_that_no_server_has_is_refused_by_its_field(
    rate: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = re.sub(r'"rate_per_s": 10\.46[\d.]+', f'"rate_per_s": {rate}', results.read_text(), count=1)
    assert f'"rate_per_s": {rate}' in text
    results.write_text(text)
    assert main(["cost", str(results), "--machine=n1-standard-4"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is no results file of slo-tuner: models.0.rate_per_s: " in line
    assert results.read_text() == text
