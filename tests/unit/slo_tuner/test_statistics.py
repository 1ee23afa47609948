"""Arrivals, the sequential verdict and the rule that ends a point keep what their names promise."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.slo.objective import Objective, parse_objective
from slo_tuner.slo.sequential_test import Flags, design_effect, judge, judge_point
from slo_tuner.slo.stop_rule import Fates, is_over


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


def _flags(count: int, of: int) -> Flags:
    """So many of them are set, spread evenly."""
    flags = np.zeros(of, dtype=bool)
    flags[np.linspace(0, of - 1, count).astype(int)] = True
    return flags


def test_a_verdict_that_more_failures_could_change_is_not_certain() -> None:
    """No request is late, and 0.2 % fail where 0.1 % may: the misses alone would be certain of the opposite."""
    objective = parse_objective("p95<=100ms,errors<=0.1%")
    failed = _flags(2, 1000)
    judgement = judge_point(failed, failed, objective)
    assert judgement.missed.certain and judgement.missed.kept
    assert (judgement.kept, judgement.certain) == (False, False)


@pytest.mark.parametrize(("errors", "share"), [(30, "0.1"), (1, "0")])
def test_a_share_of_failures_that_is_certainly_broken_makes_a_miss_certain(errors: int, share: str) -> None:
    failed = _flags(errors, 1000)
    judgement = judge_point(failed, failed, parse_objective(f"p95<=100ms,errors<={share}%"))
    assert (judgement.kept, judgement.certain) == (False, True)


def test_a_server_that_fails_nothing_needs_no_proof_of_it() -> None:
    none = _flags(0, 400)
    judgement = judge_point(none, none, parse_objective("p95<=100ms,errors<=0.1%"))
    assert (judgement.kept, judgement.certain) == (True, True)


def _fates(missed: Flags) -> Fates:
    """Ten requests a second from 0 on, of which none fails."""
    return Fates(np.arange(len(missed)) / 10, missed, np.zeros(len(missed), dtype=bool))


def test_a_point_is_over_once_its_verdict_is_certain_and_not_before_its_least_time() -> None:
    kept = _fates(_flags(0, 1000))
    assert is_over(kept, Objective(), since_s=1.0, least_s=60.0, known_until_s=61.0)
    assert not is_over(kept, Objective(), since_s=1.0, least_s=60.0, known_until_s=60.9)
    assert not is_over(_fates(_flags(50, 1000)), Objective(), since_s=1.0, least_s=60.0, known_until_s=99.0)


def test_requests_of_unknown_fate_do_not_end_a_point() -> None:
    """Requests without an answer count as missed once they are late: those of the last 100 ms are not."""
    fates = _fates(np.arange(1000) >= 600)
    for known_until_s in np.arange(30.0, 60.1, 0.25):
        assert is_over(fates, Objective(limit_ms=100.0), 0.0, 25.0, float(known_until_s))


@pytest.mark.parametrize("count", [400, 4000, 40_000])
def test_a_queue_that_still_grows_does_not_end_a_point_as_kept(count: int) -> None:
    """3 % are late in all, where 5 % may be, but 6 % of the latter half."""
    late = np.concatenate([_flags(0, count // 2), _flags(3 * count // 100, count // 2)])
    assert not is_over(_fates(late), Objective(), 0.0, 1.0, count / 10 + 0.1)
    assert is_over(_fates(_flags(0, count)), Objective(), 0.0, 1.0, count / 10 + 0.1)


@given(st.integers(500, 999), st.integers(1, 5000), st.integers(-1, 1))
def test_the_allowed_share_is_compared_as_the_decimal_that_it_was_written_as(
    per_mille: int, requests: int, more: int
) -> None:
    """In binary 1 - 0.9 is less than 0.1; the oracle counts in whole numbers: the same for every judge of a share."""
    percent = f"{per_mille // 10}.{per_mille % 10}"
    allowed_share = Fraction(1000 - per_mille, 1000)
    objective = parse_objective(f"p{percent}<=100ms,errors<={100 - Decimal(percent)}%")
    count = min(requests, max(0, int(allowed_share * requests) + more))
    kept = Fraction(count, requests) <= allowed_share
    flags = np.arange(requests) < count
    assert objective.judge(requests, count, 0).kept == objective.judge(requests, count, count).kept == kept
    assert judge(flags, objective.miss_share).kept == judge(flags, objective.error_share).kept == kept
    assert judge_point(flags, flags, objective).kept == kept
    over = objective.excess(requests, count, 0)
    assert over > 1 - 1e-9 if not kept else over < 1 + 1e-9


def test_exactly_a_tenth_late_keeps_p90() -> None:
    assert parse_objective("p90<=100ms").judge(requests=30, misses=3, errors=0).kept
    assert judge(_flags(10, 100), parse_objective("p90<=100ms").miss_share).kept
