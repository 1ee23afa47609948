"""Results that were decided on a disturbed machine say so wherever they are shown."""

from typing import Any

import pytest
from finished_tiers import MODELS, played, scenario
from finished_tiers import results as tier_results
from finished_tuning import finished_tuning
from run_headers import header
from test_report import _model, _point, _results

from slo_tuner.ladder.table import print_table
from slo_tuner.load.generator import InProcess
from slo_tuner.load.users import Route
from slo_tuner.measurement.closed_loop import measure_closed
from slo_tuner.measurement.disturbance import Machine
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.report.page import headline, notes, render_report
from slo_tuner.report.quiet import machine_sentence
from slo_tuner.results.schema import Disturbance, Results, ServerFacts, result_disturbed
from slo_tuner.slo.objective import Objective
from slo_tuner.tiers.text import tiers_headline, tiers_notes

QUIET = Disturbance(cores=2, foreign_cores=0.02)
BUSY = Disturbance(cores=2, foreign_cores=0.4, disturbed=True)
BUSIER = Disturbance(cores=2, foreign_cores=0.3, stolen_cores=0.2, disturbed=True)
SAID = "other programs took 0.4 of 2 cores"


def _repeats(*disturbances: Disturbance | None, **changes: Any) -> list[Any]:
    return [_point(10.0, disturbance=one, **changes) for one in disturbances]


def test_a_quiet_result_is_not_marked() -> None:
    assert result_disturbed(_repeats(QUIET, QUIET, None), 10.0, None) == ""


def test_the_repeats_at_the_rate_that_was_found_decide() -> None:
    assert result_disturbed(_repeats(QUIET, BUSY), 10.0, None) == SAID
    assert result_disturbed(_repeats(BUSY), 9.0, None) == ""


def test_the_miss_above_decides_too() -> None:
    missed = _point(11.0, purpose="bisect", kept=False, disturbance=BUSY)
    assert result_disturbed([*_repeats(QUIET), missed], 10.0, 11.0) == SAID
    assert result_disturbed([*_repeats(QUIET), missed], 10.0, 10.5) == ""


def test_a_rate_that_was_not_met_is_decided_by_its_misses() -> None:
    assert result_disturbed([_point(0.5, purpose="bracket", kept=False, disturbance=BUSY)], None, 0.5) == SAID


def test_what_was_measured_again_decides_nothing() -> None:
    assert result_disturbed(_repeats(BUSY, repeated=True) + _repeats(QUIET), 10.0, None) == ""


def test_the_point_that_most_was_taken_from_is_named() -> None:
    said = result_disturbed(_repeats(BUSY, BUSIER, QUIET), 10.0, None)
    assert said == "other programs took 0.3 and the host took 0.2 of 2 cores"


def test_the_headline_says_that_a_result_is_disturbed() -> None:
    assert headline(_results(_model("m", 10.0, disturbed=SAID))).endswith(f"requests per second. Disturbed: {SAID}.")
    nothing = headline(_results(_model("m", None, disturbed=SAID)))
    assert nothing == f"No model keeps p95<=100ms at any measured rate. Disturbed: {SAID}."


def test_a_ratio_against_a_disturbed_baseline_is_marked() -> None:
    said = headline(_results(_model("original", 10.0, disturbed=SAID), _model("fast", 50.0)))
    assert said.endswith(f"(10.0). Disturbed: {SAID}.")


def test_a_quiet_headline_says_nothing_of_it() -> None:
    assert "isturbed" not in headline(_results(_model("original", 10.0), _model("fast", 50.0)))


@pytest.mark.parametrize("rate", [10.0, None])
def test_the_table_marks_a_disturbed_result(rate: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(_results(_model("m", rate, disturbed=SAID)))
    printed = capsys.readouterr().out
    assert ("10.0 (disturbed)" if rate else "not met (disturbed)") in printed
    assert f"m: disturbed: {SAID}" in printed


def test_a_point_that_was_measured_again_counts_for_nothing_and_is_shown() -> None:
    model = _model("m", 10.0, points=[*_repeats(BUSY, repeated=True), *_repeats(QUIET, QUIET)])
    assert len(model.confirmations) == 2
    results = _results(model)
    assert "m: 1 disturbed point(s) were measured again, and don't count." in notes(results)
    assert not any("load generator lagged" in note for note in notes(results))
    assert "disturbed: measured again" in render_report(results)


def test_the_page_says_what_else_ran_on_the_machine() -> None:
    page = render_report(_results(_model("m", 10.0, points=_repeats(QUIET, BUSY))))
    assert "Other programs took 0.21 of 2 cores on average over the points, 0.40 at most." in page


def _remote(results: Results) -> Results:
    server = ServerFacts(name="triton", version="2", address="triton.example:8001")
    return results.model_copy(update={"run": header(server=server)})


def test_what_can_t_be_known_of_a_remote_server_is_said() -> None:
    known = _remote(_results(_model("m", 10.0, points=_repeats(QUIET))))
    assert machine_sentence(known).endswith("What else ran on the server's machine is not known.")
    unseen = _remote(_results(_model("m", 10.0, points=_repeats(Disturbance(cores=2)))))
    assert machine_sentence(unseen) == "What else ran on the machines of the load and of the server is not known."


def test_steal_frequency_and_a_cpu_limit_are_shown() -> None:
    facts = Disturbance(cores=1.5, foreign_cores=0, stolen_cores=0.06, throttled_share=0.12, frequency_mhz=2400)
    results = _results(_model("m", 10.0, points=_repeats(facts)))
    assert "The host took up to 0.06 cores. The processors ran at 2400 to 2400 MHz." in machine_sentence(results)
    assert any("stopped it in up to 12 % of its periods" in note for note in notes(results))


def test_a_disturbed_run_of_tiers_is_in_the_headline_and_named() -> None:
    busy = played().model_copy(update={"disturbance": BUSY})
    results = tier_results(scenario(busy, busy))
    assert len(results.tiers.models) == len(MODELS)
    assert tiers_headline(results.tiers).endswith(f"Disturbed, 1 of 2 runs: {SAID}.")
    assert f"A burst on tier 2, with tiers: disturbed: {SAID}." in tiers_notes(results)
    assert "Disturbed, 1 of 2 runs" in render_report(results)


@pytest.mark.slow
def test_disturbed_trials_of_a_tuning_are_counted_and_its_winner_marked() -> None:
    results = finished_tuning()
    trial = results.tuning.trials[0]
    points = tuple(point.model_copy(update={"disturbance": BUSY}) for point in trial.points)
    trials = (trial.model_copy(update={"points": points}), *results.tuning.trials[1:])
    disturbed = results.model_copy(update={"tuning": results.tuning.model_copy(update={"trials": trials})})
    assert any(note.startswith(f"1 of {len(trials)} trials were disturbed") for note in notes(disturbed))
    assert ", disturbed</td>" in render_report(disturbed)
    assert result_disturbed(points, trial.rate_per_s, trial.missed_per_s) == SAID


class AtOnce:
    """Answers at once."""

    def send(self) -> int:
        return 10

    def close(self) -> None:
        """Nothing to close."""


def test_points_of_open_and_closed_loops_say_what_else_ran() -> None:
    """Only that they say it, and within the machine: how busy this one is nobody knows."""
    target = Target("m", InProcess(Route("m", "test", AtOnce())), None, Machine())
    timing = Timing(warm_up_s=0.1, duration_s=0.3, least_s=0.3, sequential=False)
    opened = measure_point(target, Objective(), PointSpec(50.0, "single", 1, seed=1), timing).point.disturbance
    closed = measure_closed(target, 1, 0.3, 0.1).disturbance
    for found in (opened, closed):
        assert found is not None and found.foreign_cores is not None
        assert 0 <= found.foreign_cores <= found.cores
