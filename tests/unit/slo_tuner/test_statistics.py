"""Arrivals and the sequential verdict keep what their names promise."""

import numpy as np
import pytest

from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.slo.sequential_test import design_effect, judge


def test_the_offered_rate_is_exactly_the_one_asked_for() -> None:
    assert len(poisson_arrivals(15.0, 20.0, seed=3)) == 300


def test_gaps_between_arrivals_are_exponential() -> None:
    gaps = np.diff(poisson_arrivals(100.0, 200.0, seed=1))
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)


def test_a_seed_repeats_the_arrivals() -> None:
    assert np.array_equal(poisson_arrivals(10, 5, 1), poisson_arrivals(10, 5, 1))


def test_late_requests_in_bursts_count_as_fewer_independent_ones() -> None:
    bursty = np.zeros(3200, dtype=bool)
    bursty[::640] = True
    bursty = np.repeat(bursty[::16], 16)
    scattered = np.random.default_rng(1).permutation(bursty)
    assert design_effect(bursty) > 4 * design_effect(scattered)


def test_clear_cases_are_certain_early() -> None:
    assert judge(np.ones(25, dtype=bool), 0.05).certain
    assert judge(np.zeros(300, dtype=bool), 0.05).certain


@pytest.mark.parametrize("share", [0.035, 0.05, 0.07])
def test_looking_after_every_request_rarely_makes_a_wrong_verdict_certain(share: float) -> None:
    """The promise of a confidence sequence: wrong with at most 5 %, however often one looks."""
    wrong = 0
    for seed in range(100):
        misses = np.random.default_rng(seed).random(1500) < share
        looks = (judge(misses[:n], 0.05) for n in range(50, 1501, 25))
        first = next((look for look in looks if look.certain), None)
        wrong += first is not None and (share == 0.05 or first.kept != (share < 0.05))
    assert wrong <= 8
