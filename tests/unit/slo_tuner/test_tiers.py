"""Tiers under bursts: what is asked of both models, what a refusal counts as, and what the report says of it."""

from pathlib import Path

import numpy as np
import pytest
from finished_tiers import LATE, MODELS, SHEDDING, played, results, scenario, window
from google.protobuf import text_format
from test_report import _results
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import UsageError
from slo_tuner.cli import main
from slo_tuner.load.request_log import RequestLog
from slo_tuner.load.request_outcome import RequestOutcome, outcome_of
from slo_tuner.load.transport import RequestError
from slo_tuner.report.page import render_report
from slo_tuner.report.read import read_any_results
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import Results
from slo_tuner.slo.objective import Objective
from slo_tuner.tiers.model_config import check_tier, without_tier
from slo_tuner.tiers.record import TierResults
from slo_tuner.tiers.scenarios import SCENARIOS, STEADY
from slo_tuner.tiers.text import cells_of, phase_line, recovered_s, tiers_headline, tiers_notes
from slo_tuner.tiers.windows import phase_edges, windows_of

TIER_2 = """
name: "bulk" max_batch_size: 4 parameters { key: "tier" value { string_value: "2" } }
instance_group { count: 1 rate_limiter { resources { name: "cpu" global: true count: 1 } priority: 1000000 } }
dynamic_batching { preferred_batch_size: 4 default_queue_policy { max_queue_size: 16 } }
"""


def _config() -> ModelConfig:
    return text_format.Parse(TIER_2, ModelConfig())


def test_every_burst_but_the_first_exceeds_what_both_models_share() -> None:
    assert sum(STEADY) < 0.8
    assert [sum(scenario.burst) < 1 for scenario in SCENARIOS] == [True, False, False]


def test_no_burst_asks_tier_1_for_more_than_it_serves_alone() -> None:
    assert all(scenario.burst[0] < 0.9 for scenario in SCENARIOS)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("UNAVAILABLE: [request id: <id_unknown>] Exceeds maximum queue size", RequestOutcome.SHED),
        ('HTTP 503: {"error":"Request timeout expired"}', RequestOutcome.TIMED_OUT),
        ("DEADLINE_EXCEEDED: Deadline Exceeded", RequestOutcome.FAILED),
    ],
)
def test_a_refusal_is_told_from_a_failure_by_what_triton_says(said: str, outcome: RequestOutcome) -> None:
    assert outcome_of(RequestError(said)) is outcome
    assert outcome_of(None) is RequestOutcome.ANSWERED


def test_refused_requests_are_neither_late_nor_part_of_the_quantile() -> None:
    ends = [
        (RequestOutcome.ANSWERED, 0.05),
        (RequestOutcome.ANSWERED, 0.3),
        (RequestOutcome.SHED, 0.9),
        (RequestOutcome.TIMED_OUT, 0.9),
    ]
    rows = RequestLog(np.array([[i, i, i + took, outcome] for i, (outcome, took) in enumerate(ends)], dtype=float))
    (found,) = windows_of(rows, Objective(limit_ms=100), (0.0, 10.0))
    assert (found.due, found.answered, found.shed, found.timed_out) == (4, 2, 1, 1)
    assert found.late == 1
    assert found.quantile_ms == pytest.approx(300)


def test_a_failed_request_is_late_and_no_part_of_the_quantile() -> None:
    failed = [[1.0, 1.0, 1.01, RequestOutcome.FAILED]]
    (found,) = windows_of(RequestLog(np.array(failed)), Objective(limit_ms=100), (0.0, 10.0))
    assert (found.failed, found.late, found.quantile_ms) == (1, 1, None)
    rows = RequestLog(np.array([*failed * 5, [1.0, 1.0, 1.08, RequestOutcome.ANSWERED]]))
    (found,) = windows_of(rows, Objective(limit_ms=100), (0.0, 10.0))
    assert (found.failed, found.answered, found.quantile_ms) == (5, 1, pytest.approx(80.0))


def test_each_request_belongs_to_the_phase_in_which_it_was_due() -> None:
    rows = RequestLog(np.array([[due, due, due + 30.0, RequestOutcome.ANSWERED] for due in (0.0, 9.9, 10.0, 29.9)]))
    assert [w.due for w in windows_of(rows, Objective(), phase_edges(10.0))] == [2, 1, 1]


def test_the_control_has_nothing_of_the_tier_and_all_the_rest() -> None:
    plain = without_tier(_config())
    expected = ModelConfig(name="bulk", max_batch_size=4)
    expected.instance_group.add(count=1)
    expected.dynamic_batching.preferred_batch_size.append(4)
    assert plain == expected


def test_a_model_of_another_tier_is_refused_by_name() -> None:
    check_tier(_config(), 2)
    with pytest.raises(UsageError, match="tier 1: 'bulk' is not allowed; it was built with tier 2"):
        check_tier(_config(), 1)
    with pytest.raises(UsageError, match="it was built with tier none"):
        check_tier(without_tier(_config()), 2)


def test_a_window_is_judged_by_the_requests_that_the_server_took() -> None:
    assert window(0, due=20, answered=10, shed=10, late=0).kept(Objective())
    assert not window(0, due=20, answered=10, shed=10, late=1).kept(Objective())


def test_recovery_counts_from_the_end_of_the_burst_to_the_last_bad_window() -> None:
    assert recovered_s(MODELS[1], played(SHEDDING)) == 0.0
    assert recovered_s(MODELS[1], played(SHEDDING, after=SHEDDING)) == 2.0


def test_a_model_that_is_late_to_the_end_has_not_recovered() -> None:
    last = played(LATE)
    late = last.model_copy(update={"windows": (*last.windows[:-1], window(10.0, **LATE))})
    assert recovered_s(MODELS[1], late) is None


@pytest.mark.slow
def test_the_page_shows_each_scenario_with_and_without_tiers() -> None:
    page = render_report(results(scenario(played(), played(SHEDDING))))
    assert "interactive keeps p95&lt;=100ms in 1 of 1 bursts with tiers, in 0 of 1 without." in page
    assert page.count("<figure>") == 1
    for expected in ("A burst on tier 2", "refused, queue full", "bulk (tier 2)", "without"):
        assert expected in page


def test_what_limits_the_result_is_said_first() -> None:
    said = "\n".join(tiers_notes(results(scenario(played(delay_ms=30.0), played()), complete=False)))
    assert "scenarios are missing" in said
    assert "with tiers: the load generator sent requests to interactive late, P95 30.0 ms" in said


def test_results_are_read_back_and_printed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    found = results(scenario(played(), played(SHEDDING)))
    write_results(found, path)
    assert read_any_results(path) == found
    assert main(["report", str(path)]) == 0
    assert tiers_headline(found.tiers) in capsys.readouterr().out


def test_results_of_other_commands_have_no_tiers(tmp_path: Path) -> None:
    write_results(_results(), tmp_path / "results.json")
    found = read_any_results(tmp_path / "results.json")
    assert isinstance(found, Results) and not isinstance(found, TierResults)


def test_costs_of_tiers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    write_results(results(scenario(played(), played())), path)
    assert main(["cost", str(path)]) == 2
    assert "a run of tiers finds no rate within an objective" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "a"], "tier2: 'a' is not allowed; name another model"),
        (["a", "b", "--workers=2"], "workers: '2' is not allowed; one process makes the load"),
        (["a", "b", "--capacities=90"], "capacities: '90' is not allowed; give requests per second of tier 1 and"),
        (["a", "b", "--capacities=90,-1"], "capacities: '-1' is not allowed"),
        (
            ["a", "b", "--scenarios=tier-3"],
            "scenarios: 'tier-3' is not allowed; give different names of within, tier-1",
        ),
        (["a", "b", "--phase-s=0"], "phase-s: '0' is not allowed"),
        (["a", "b", "--tier-executions=0"], "tier-executions: '0' is not allowed"),
        (["a", "b", "--tier2-objective=auto"], "tier2-objective: 'auto' is not allowed"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiers", *arguments, "--address=localhost:1", f"--output={tmp_path}"]) == 2
    assert capsys.readouterr().err.startswith(f"slo-tuner: error: {message}")


@pytest.mark.slow
def test_each_tier_is_told_with_the_quantile_of_its_own_objective() -> None:
    first, second = MODELS[0], MODELS[1].model_copy(update={"objective": Objective(quantile=0.999, limit_ms=500.0)})
    assert " P95 " in phase_line(first, played()) and " P99.9 " in phase_line(second, played())
    assert [cells[3].split()[0] for cells in cells_of(first, played())] == ["P95"] * 3
    assert [cells[3].split()[0] for cells in cells_of(second, played())] == ["P99.9"] * 3
    (found,) = results(scenario(played(), played())).tiers.scenarios
    whole = results(found)
    whole = whole.model_copy(update={"tiers": whole.tiers.model_copy(update={"models": (first, second)})})
    assert "<td>P99.9 " in render_report(whole)
