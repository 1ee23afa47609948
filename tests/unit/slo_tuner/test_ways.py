"""Sweeps over several ways: what a way adds is found in spite of a machine that drifts, and the report shows it all."""

from pathlib import Path

import pytest
from test_report import _LATENCY, _model, _results

from slo_tuner.cli import main
from slo_tuner.objective import parse_objective
from slo_tuner.report import render_report
from slo_tuner.results import Latency, Results, SweepPoint, Way, Ways, read_results, write_results
from slo_tuner.ways.compare import Spread, best, levels
from slo_tuner.ways.words import ways_headline, ways_notes

# How much slower the machine was in each round.
DRIFT = (1.0, 1.6, 0.8)


def _point(concurrency: int, p50_ms: float, errors: int = 0) -> SweepPoint:
    latency = Latency(mean_ms=p50_ms, p50_ms=p50_ms, p90_ms=p50_ms, p95_ms=2 * p50_ms, p99_ms=3 * p50_ms, max_ms=100)
    rate = 1000 * concurrency / p50_ms
    return SweepPoint(
        concurrency=concurrency, duration_s=1, requests=int(rate), errors=errors, rate_per_s=rate, latency=latency
    )


def _way(name: str, added_ms: float, errors: int = 0) -> Way:
    rounds = tuple(tuple(_point(c, 10 * c * drift + added_ms, errors) for c in (1, 2)) for drift in DRIFT)
    return Way(name=name, address=f"{name}:8001", rounds=rounds)


def _ways(*ways: Way) -> Ways:
    return Ways(model="m", ways=ways)


BOTH = _ways(_way("service", 0.0), _way("gateway", 1.5))


def _swept(ways: Ways, complete: bool = True) -> Results:
    return _results(complete=complete).model_copy(update={"ways": ways})


def test_what_a_way_adds_is_found_within_each_round_whatever_drifts_between_them() -> None:
    gateway = [level for level in levels(BOTH) if level.way == "gateway"]
    for level in gateway:
        assert level.p50_ms.added is not None
        assert level.p50_ms.added.lowest == pytest.approx(1.5)
        assert level.p50_ms.added.highest == pytest.approx(1.5)
    assert gateway[0].p50_ms.value == Spread(pytest.approx(11.5), pytest.approx(9.5), pytest.approx(17.5))


def test_shares_refer_to_the_first_way_in_the_same_round() -> None:
    alone = levels(BOTH)[1]
    assert alone.p50_ms.added_share is not None
    assert alone.p50_ms.added_share.highest == pytest.approx(1.5 / 8)
    assert alone.rate_per_s.added_share is not None
    assert alone.rate_per_s.added_share.lowest == pytest.approx(8 / 9.5 - 1)


def test_nothing_is_added_to_the_first_way() -> None:
    assert [level.p50_ms.added for level in levels(BOTH) if level.way == "service"] == [None, None]


def test_an_objective_leaves_only_the_numbers_in_flight_that_keep_it() -> None:
    way = BOTH.ways[1]
    fast = best(way, parse_objective("p95<=25ms"))
    assert fast is not None and fast.concurrency == 1
    assert best(way, parse_objective("p95<=1ms")) is None
    anyway = best(way)
    assert anyway is not None and anyway.concurrency == 2


def test_the_page_has_both_ways_and_no_ladder() -> None:
    page = render_report(_swept(BOTH))
    for expected in ("service:8001", "gateway:8001", "gateway, P95", "+1.50 (+1.50 to +1.50)", "75 %"):
        assert expected in page
    assert page.count("<svg") == 2
    assert "Every point" not in page


def test_a_single_way_is_a_plain_sweep() -> None:
    alone = _ways(BOTH.ways[0])
    assert render_report(_swept(alone)).count("<svg") == 1
    assert ways_headline(alone) == "Through service m serves up to 100.0 requests per second, with 1 in flight."


def test_failed_requests_and_missing_rounds_are_said_first() -> None:
    said = "\n".join(ways_notes(_swept(_ways(BOTH.ways[0], _way("gateway", 1.5, errors=3)), complete=False)))
    assert "rounds are missing" in said
    assert "18 of " in said and "requests through gateway failed" in said


def test_results_without_ways_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    model = _model("original", 10.0, sweep=[_point(1, 10.0).model_copy(update={"latency": _LATENCY})])
    path.write_text(_results(model).model_dump_json(exclude={"ways"}))
    assert read_results(path, Results).ways is None


def test_costs_of_a_sweep_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    write_results(_swept(BOTH), path)
    assert main(["cost", str(path)]) == 2
    assert "a sweep finds no rate within an objective" in capsys.readouterr().err


def test_the_table_is_printed_again_from_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    write_results(_swept(BOTH), path)
    assert main(["report", str(path)]) == 0
    assert "+1.5 (+1.5 to +1.5)" in capsys.readouterr().out
