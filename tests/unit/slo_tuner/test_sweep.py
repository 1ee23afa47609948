"""Sweeps over several targets: what one adds is found although the machine drifts, and the report shows it."""

from pathlib import Path

import pytest
from test_report import _results

from slo_tuner.cli import main
from slo_tuner.report.page import render_report
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import Disturbance, Latency, SweepPoint
from slo_tuner.slo.objective import parse_objective
from slo_tuner.sweep.compare import Spread, best, levels
from slo_tuner.sweep.record import SweepRecord, SweepResults, SweepTarget
from slo_tuner.sweep.text import sweep_headline, sweep_notes

# How much slower the machine was in each round.
DRIFT = (1.0, 1.6, 0.8)


def _point(concurrency: int, p50_ms: float, errors: int = 0) -> SweepPoint:
    latency = Latency(mean_ms=p50_ms, p50_ms=p50_ms, p90_ms=p50_ms, p95_ms=2 * p50_ms, p99_ms=3 * p50_ms, max_ms=100)
    rate = 1000 * concurrency / p50_ms
    return SweepPoint(
        concurrency=concurrency, duration_s=1, requests=int(rate), errors=errors, rate_per_s=rate, latency=latency
    )


def _target(name: str, added_ms: float, errors: int = 0) -> SweepTarget:
    rounds = tuple(tuple(_point(c, 10 * c * drift + added_ms, errors) for c in (1, 2)) for drift in DRIFT)
    return SweepTarget(name=name, address=f"{name}:8001", rounds=rounds)


def _targets(*targets: SweepTarget) -> SweepRecord:
    return SweepRecord(model="m", targets=targets)


BOTH = _targets(_target("service", 0.0), _target("gateway", 1.5))


def _swept(record: SweepRecord, complete: bool = True) -> SweepResults:
    return SweepResults(**dict(_results(complete=complete)) | {"kind": "sweep"}, sweep=record)


def test_what_a_way_adds_is_found_within_each_round_whatever_drifts_between_them() -> None:
    gateway = [level for level in levels(BOTH) if level.target == "gateway"]
    for level in gateway:
        assert level.p50_ms.added is not None
        assert level.p50_ms.added.lowest == pytest.approx(1.5)
        assert level.p50_ms.added.highest == pytest.approx(1.5)
    assert gateway[0].p50_ms.value == Spread(pytest.approx(11.5), pytest.approx(9.5), pytest.approx(17.5))


def test_the_headline_says_that_points_were_disturbed() -> None:
    busy = Disturbance(cores=2, foreign_cores=0.4, disturbed=True)
    first, *others = _target("service", 0.0).rounds
    rounds = ((first[0].model_copy(update={"disturbance": busy}), first[1]), *others)
    record = _targets(SweepTarget(name="service", address="s:1", rounds=rounds), _target("gateway", 1.5))
    said = "Disturbed: 1 of 12 points, as the first: other programs took 0.4 of 2 cores."
    assert sweep_headline(record).endswith(said)
    assert "Disturbed" not in sweep_headline(BOTH)


def test_shares_refer_to_the_first_way_in_the_same_round() -> None:
    alone = levels(BOTH)[1]
    assert alone.p50_ms.added_share is not None
    assert alone.p50_ms.added_share.highest == pytest.approx(1.5 / 8)
    assert alone.rate_per_s.added_share is not None
    assert alone.rate_per_s.added_share.lowest == pytest.approx(8 / 9.5 - 1)


def test_nothing_is_added_to_the_first_target() -> None:
    assert [level.p50_ms.added for level in levels(BOTH) if level.target == "service"] == [None, None]


def test_an_objective_leaves_only_the_numbers_in_flight_that_keep_it() -> None:
    target = BOTH.targets[1]
    fast = best(target, parse_objective("p95<=25ms"))
    assert fast is not None and fast.concurrency == 1
    assert best(target, parse_objective("p95<=1ms")) is None
    anyway = best(target)
    assert anyway is not None and anyway.concurrency == 2


def test_the_page_has_both_ways_and_no_ladder() -> None:
    page = render_report(_swept(BOTH))
    for expected in ("service:8001", "gateway:8001", "gateway, P95", "+1.50 (+1.50 to +1.50)", "75 %"):
        assert expected in page
    assert page.count("<figure>") == 2
    assert "Every point" not in page


def test_a_single_way_is_a_plain_sweep() -> None:
    alone = _targets(BOTH.targets[0])
    assert render_report(_swept(alone)).count("<figure>") == 1
    assert sweep_headline(alone) == "Through service m serves up to 100.0 requests per second, with 1 in flight."


def test_failed_requests_and_missing_rounds_are_said_first() -> None:
    said = "\n".join(sweep_notes(_swept(_targets(BOTH.targets[0], _target("gateway", 1.5, errors=3)), complete=False)))
    assert "rounds are missing" in said
    assert "18 of " in said and "requests through gateway failed" in said


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
