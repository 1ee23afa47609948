"""The tuner's decisions on simulated servers whose best configuration is known."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from simulated_family import SimulatedBench, Surface, true_rate
from simulated_server import true_capacity

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.capacity.fit import Saturation, fit_service_time
from slo_tuner.capacity.queue_model import ServiceTime, best_rates
from slo_tuner.capacity.surrogate import Observation, expect
from slo_tuner.slo.objective import Objective
from slo_tuner.tuning.evidence import TrialHistory
from slo_tuner.tuning.explorer import Explorer
from slo_tuner.tuning.path import Choice
from slo_tuner.tuning.space import Space, default_space, single_changes
from slo_tuner.tuning.trial import Candidate, Trial, TrialObjective, run_trial

BASELINE = Configuration(batch=8, instances=1)
SPACE = Space((1, 2, 4, 8), (1, 2, 4), (0, 2000))
SEARCH_POINTS = 12
SURFACE = Surface(
    own=0.001,
    fixed=0.003,
    item=0.006,
    power=1.0,
    width=2.0,
    friction=0.02,
    variation=0.08,
    outside=0.001,
    most_copies=100,
)
LIMIT_MS = 50.0
# The three best of SPACE by long simulations of all of it.
LEADING = (
    Configuration(batch=2, instances=4, delay_us=2000),
    Configuration(batch=2, instances=4),
    Configuration(batch=4, instances=2),
)


@dataclass(frozen=True)
class Explored:
    """A finished exploration."""

    choice: Choice | None
    trials: list[Trial]

    @property
    def points(self) -> int:
        return sum(trial.measured_points for trial in self.trials)


def explored(
    surface: Surface,
    limit_ms: float = LIMIT_MS,
    bench: SimulatedBench | None = None,
    lucky: Configuration | None = None,
) -> Explored:
    """The tuner's way through SPACE from BASELINE; the first search of `lucky` finds half as much again."""
    aim = TrialObjective(Objective(limit_ms=limit_ms))
    server = bench or SimulatedBench(surface, limit_ms, seed=1, requests=800)

    def measure(task: Candidate, known: float) -> Trial:
        trial = run_trial(server, task, server.points, aim, known)
        if task.role == "repeat" or trial.configuration != lucky or trial.rate_per_s is None:
            return trial
        return trial.model_copy(update={"rate_per_s": 1.5 * trial.rate_per_s})

    explorer = Explorer(measure, BASELINE, SPACE, aim)
    return Explored(explorer.run(), explorer.known.trials)


@pytest.fixture(scope="module")
def tuned() -> Explored:
    return explored(SURFACE)


@pytest.mark.slow
def test_the_winner_is_within_three_percent_of_the_best(tuned: Explored) -> None:
    assert tuned.choice is not None
    best = max(true_rate(SURFACE, c, LIMIT_MS, 8000) for c in LEADING)
    assert true_rate(SURFACE, tuned.choice.winner, LIMIT_MS, 8000) >= 0.97 * best


def test_the_tuner_measures_a_part_of_what_brute_force_would(tuned: Explored) -> None:
    assert tuned.points <= 0.5 * SEARCH_POINTS * len(SPACE.configurations())


def test_each_step_to_the_winner_changes_one_thing_and_is_measured(tuned: Explored) -> None:
    assert tuned.choice is not None
    path = tuned.choice.path
    assert path[0].configuration == BASELINE
    for before, after in pairwise(path):
        assert before.configuration.differences(after.configuration) == (after.changed,)
        assert any(t.configuration == after.configuration and t.rate_per_s for t in tuned.trials)


def test_the_last_step_gained_more_than_the_noise(tuned: Explored) -> None:
    assert tuned.choice is not None
    assert tuned.choice.path[-1].rate_per_s > 1.01 * tuned.choice.path[-2].rate_per_s


def test_the_winner_is_measured_again(tuned: Explored) -> None:
    assert tuned.choice is not None
    assert [t for t in tuned.trials if t.configuration == tuned.choice.winner][-1].role == "repeat"
    assert len(tuned.choice.rates) >= 2


def test_the_winner_s_step_has_the_rate_that_counts(tuned: Explored) -> None:
    assert tuned.choice is not None
    low, *_ = rates = sorted(tuned.choice.rates)
    assert tuned.choice.path[-1].rate_per_s == tuned.choice.rate_per_s == (low if len(rates) == 2 else rates[1])


@pytest.mark.slow
def test_a_winner_by_luck_gives_way_to_the_next_one_when_it_is_searched_again(tuned: Explored) -> None:
    assert tuned.choice is not None
    rated = {t.configuration: t.rate_per_s for t in tuned.trials if t.rate_per_s}
    beaten = [c for c, rate in rated.items() if c != BASELINE and rate < 0.93 * tuned.choice.rate_per_s]
    lucky = max(beaten, key=lambda c: rated[c])
    again = explored(SURFACE, lucky=lucky)
    assert again.choice is not None and again.choice.winner != lucky
    assert len(again.choice.rates) >= 2
    assert sum(t.configuration == lucky and t.role == "repeat" for t in again.trials) >= 1


def test_every_decision_has_its_reason(tuned: Explored) -> None:
    assert all(trial.reason for trial in tuned.trials)
    assert tuned.choice is not None and tuned.choice.stopped


def test_hopeless_configurations_cost_one_point(tuned: Explored) -> None:
    for trial in tuned.trials:
        if trial.status == "hopeless":
            assert trial.measured_points == 1


@pytest.mark.slow
def test_a_refused_configuration_and_larger_ones_are_left_out() -> None:
    found = explored(replace(SURFACE, most_copies=1))
    refused = [trial.configuration for trial in found.trials if trial.status == "refused"]
    assert refused and found.choice is not None and found.choice.winner.instances == 1
    for earlier, later in pairwise(refused):
        assert later.batch < earlier.batch or later.instances < earlier.instances


def test_an_objective_that_nothing_keeps_has_no_winner() -> None:
    assert explored(SURFACE, limit_ms=4.0).choice is None


class _WeakGenerator(SimulatedBench):
    """Its load generator lags above a rate."""

    def point(self, rate: float, purpose: str):  # type: ignore[no-untyped-def]
        point = super().point(rate, purpose)
        return point.model_copy(update={"invalid_reason": "late"}) if rate > 110 else point


@pytest.mark.slow
def test_a_weak_load_generator_ends_the_tuning() -> None:
    found = explored(SURFACE, bench=_WeakGenerator(SURFACE, LIMIT_MS, seed=1, requests=800))
    assert found.choice is not None and found.choice.generator_limited
    assert "load generator is too weak" in found.choice.stopped


class _HastyGenerator(SimulatedBench):
    """Its load generator lags above a rate that is far above what the server keeps."""

    def point(self, rate: float, purpose: str):  # type: ignore[no-untyped-def]
        point = super().point(rate, purpose)
        late = "late" if rate > 1.15 * point.requests / point.duration_s or point.miss_share > 0.3 else ""
        return point.model_copy(update={"invalid_reason": late})


@pytest.mark.slow
def test_a_load_generator_that_lags_only_above_what_the_server_misses_ends_nothing(tuned: Explored) -> None:
    found = explored(SURFACE, bench=_HastyGenerator(SURFACE, LIMIT_MS, seed=1, requests=800))
    assert any(point.invalid for trial in found.trials for point in trial.points)
    assert found.choice is not None and not found.choice.generator_limited
    assert "load generator" not in found.choice.stopped
    assert not any(trial.generator_limited for trial in found.trials)


def _history(*rates: tuple[float | None, bool]) -> TrialHistory:
    """Trials with rates, and whether the generator limited them."""
    known = TrialHistory([], TrialObjective(Objective(limit_ms=LIMIT_MS)))
    for number, (rate, limited) in enumerate(rates, start=1):
        facts = {"role": "leader", "reason": "", "status": "rate" if rate else "invalid"}
        configuration = Configuration(batch=number, instances=1)
        known.add(
            Trial(number=number, configuration=configuration, rate_per_s=rate, generator_limited=limited, **facts)
        )
    return known


def test_a_load_generator_limits_the_tuning_unless_the_server_itself_bounded_a_higher_rate() -> None:
    assert _history((90.0, False), (100.0, True), (101.0, True)).generator_limited
    assert not _history((90.0, False), (100.0, True)).generator_limited
    assert not _history((120.0, False), (100.0, True), (101.0, True)).generator_limited
    assert not _history((90.0, False), (None, True), (None, True)).generator_limited
    assert _history((None, True), (None, True)).generator_limited


def test_a_configuration_of_a_server_that_sheds_is_reported_at_no_more_than_it_takes() -> None:
    """It refuses what is above 60 requests/s in a moment, and answers the rest within the limit."""
    objective = Objective(limit_ms=200.0, error_share=0.001)
    bench = SimulatedBench(SURFACE, 200.0, seed=2, sheds_above_per_s=60.0, objective=objective, requests=4000)
    trial = run_trial(bench, Candidate(BASELINE, "baseline", "as found"), 1, TrialObjective(objective), 0.0)
    assert trial.rate_per_s is not None and 45 < trial.rate_per_s <= 60
    misses = [point for point in trial.points if not point.kept and point.rate_per_s < 62]
    assert misses and all(point.miss_share < 0.05 for point in misses)


def test_a_trial_far_beyond_the_share_of_failures_is_not_measured_twice() -> None:
    objective = Objective(limit_ms=200.0, error_share=0.001)
    bench = SimulatedBench(SURFACE, 200.0, seed=2, sheds_above_per_s=60.0, objective=objective, requests=800)
    leader = Candidate(BASELINE, "leader", "promising", start_per_s=80.0, beat_per_s=80.0)
    trial = run_trial(bench, leader, 1, TrialObjective(objective), 100.0)
    assert (trial.status, len(trial.points)) == ("worse", 1)


def test_a_trial_whose_load_generator_lags_at_every_rate_is_not_said_to_miss() -> None:
    class Lagging(SimulatedBench):
        def point(self, rate: float, purpose: str):  # type: ignore[no-untyped-def]
            return super().point(rate, purpose).model_copy(update={"invalid_reason": "late"})

    bench = Lagging(SURFACE, LIMIT_MS, seed=1, requests=200)
    trial = run_trial(bench, Candidate(BASELINE, "baseline", ""), 1, TrialObjective(Objective(limit_ms=LIMIT_MS)), 0.0)
    assert trial.status == "invalid" and "could not even offer" in trial.message
    missing = run_trial(
        SimulatedBench(SURFACE, 4.0, seed=1, requests=200),
        Candidate(BASELINE, "baseline", ""),
        1,
        TrialObjective(Objective(limit_ms=4.0)),
        0.0,
    )
    assert missing.status == "unmet" and missing.lowest_tried_per_s == min(p.rate_per_s for p in missing.points)
    assert f"misses even at {missing.lowest_tried_per_s:.1f} requests/s" in missing.message


@pytest.mark.slow
def test_the_same_measurements_lead_to_the_same_decisions(tuned: Explored) -> None:
    again = explored(SURFACE)
    assert [trial.configuration for trial in again.trials] == [trial.configuration for trial in tuned.trials]


def test_the_prediction_for_one_instance_is_the_capacity_of_a_single_server() -> None:
    service = ServiceTime(own=0.0, fixed=0.012, item=0.0, width=1.0, friction=0.0)
    single = [Configuration(batch=1, instances=1)]
    (rate,) = best_rates(single, service, 0.1, 0.05)
    assert rate == pytest.approx(true_capacity(0.012, 100.0, noise=0.0), rel=0.04)


def test_saturations_fix_the_service_time() -> None:
    truth = ServiceTime(own=0.001, fixed=0.004, item=0.002, width=2.0, friction=0.01)
    pairs = [(1, 1), (4, 1), (16, 1), (4, 2), (4, 4), (4, 8)]
    measured = [Saturation(b, n, float(truth.saturation_per_s(np.array(b), np.array(n)))) for b, n in pairs]
    fitted = fit_service_time(measured, 0.007)
    for batch, instances in ((8, 1), (8, 3), (16, 6)):
        expected = truth.saturation_per_s(np.array(batch), np.array(instances))
        assert fitted.saturation_per_s(np.array(batch), np.array(instances)) == pytest.approx(expected, rel=0.1)


def test_a_measured_rate_corrects_the_prediction_of_its_neighbours() -> None:
    choices = [Configuration(batch=4, instances=n) for n in (1, 2, 8)]
    predicted = np.array([100.0, 150.0, 150.0])
    expected = expect(choices, predicted, [Observation(choices[0], 80.0, 0.01)])
    assert np.exp(expected.log_rate[0]) == pytest.approx(80.0, rel=0.01)
    assert 115 < np.exp(expected.log_rate[1]) < 130
    assert expected.spread[0] < expected.spread[1] < expected.spread[2]


def test_nothing_is_gained_over_a_rate_far_above() -> None:
    choices = [Configuration(batch=1, instances=1)]
    expected = expect(choices, np.array([100.0]), [Observation(choices[0], 100.0, 0.01)])
    assert expected.gain_over(120.0)[0] < 1e-6


def test_configurations_that_behave_alike_are_one() -> None:
    alone = Configuration(batch=1, instances=2, delay_us=500, preferred=(1,)).normal()
    assert alone == Configuration(batch=1, instances=2)
    assert Configuration(batch=8, instances=1, preferred=(8,)).normal() == Configuration(batch=8, instances=1)
    found = Space((1, 4), (1,), (0, 500), preferred_halves=True).configurations()
    assert len(found) == len(set(found)) == 5


def test_the_default_space_ends_at_the_model_s_own_largest_batch() -> None:
    assert default_space(48, 100.0).batches == (1, 2, 4, 8, 16, 32, 48)
    assert default_space(1, 100.0).batches == (1,)
    assert max(default_space(4, 100.0).delays_us) == 10_000


def test_the_way_between_two_configurations_changes_one_field_at_a_time() -> None:
    goal = Configuration(batch=4, instances=2, delay_us=500)
    path = single_changes(BASELINE, goal, ("instances", "batch", "delay_us"))
    assert [str(stop) for stop in path] == [
        "batch 8, instances 1, delay 0 µs",
        "batch 8, instances 2, delay 0 µs",
        "batch 4, instances 2, delay 0 µs",
        "batch 4, instances 2, delay 500 µs",
    ]


def test_a_repeat_is_only_searched() -> None:
    bench = SimulatedBench(SURFACE, LIMIT_MS, seed=3, requests=400)
    trial = run_trial(
        bench,
        Candidate(BASELINE, "repeat", "again", start_per_s=80.0),
        1,
        TrialObjective(Objective(limit_ms=50.0)),
        0.0,
    )
    assert trial.saturation is None and trial.rate_per_s
