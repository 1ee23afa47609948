"""The simulated autoscaler decides as Kubernetes and KEDA do."""

import numpy as np
import pytest

from slo_tuner.fleet.autoscaler import Autoscaler, Pods
from slo_tuner.fleet.prometheus import Counters, Prometheus, Seen
from slo_tuner.fleet.settings import ScalingSettings

USUAL = ScalingSettings(least=1, most=100, rate_target_percent=80, up_percent=1000, cooldown_s=300)


def _seen(rate_per_s: float, queue_ms: float = 0.0, busy_percent: float = 0.0) -> Seen:
    return Seen(np.array([rate_per_s]), np.array([queue_ms]), np.array([busy_percent]))


NOTHING = _seen(np.nan, np.nan, np.nan)


class _One:
    """The autoscaler of a single fleet."""

    def __init__(self, settings: ScalingSettings) -> None:
        self._scaler = Autoscaler([settings], 100.0)

    def sync(self, now_s: float, present: int, ready: int, seen: Seen) -> int:
        (count,) = self._scaler.sync(now_s, Pods(np.array([present]), np.array([ready])), seen)
        return int(count)

    def poll(self, now_s: float, present: int, *, active: bool) -> int:
        (count,) = self._scaler.poll(now_s, np.array([present]), active)
        return int(count)


def test_an_average_counts_the_sum_by_its_target() -> None:
    scaler = _One(USUAL)
    assert scaler.sync(15, 4, 4, _seen(641.0)) == 9


@pytest.mark.parametrize("rate", [291.0, 320.0, 351.0])
def test_within_a_tenth_of_the_target_nothing_changes(rate: float) -> None:
    assert _One(USUAL).sync(15, 4, 4, _seen(rate)) == 4


def test_a_mean_multiplies_the_pods_that_are_ready() -> None:
    settings = USUAL.model_copy(update={"rate_target_percent": None, "queue_target_ms": 20.0})
    scaler = _One(settings)
    assert scaler.sync(15, 6, 4, _seen(0.0, 50.0, 0.0)) == 10


def test_an_adapters_mean_counts_pods_without_one_as_idle_when_it_grows() -> None:
    settings = USUAL.model_copy(update={"mode": "hpa"})
    # 4 ready Pods have 200 each where 80 are wanted; 4 more start. (4 * 2.5 + 4 * 0) / 8 = 1.25 of 8.
    assert _One(settings).sync(15, 8, 4, _seen(800.0)) == 10
    # 8 of 12 ready have 90: 1.125 * 8 / 12 = 0.75 turns around, so nothing changes.
    assert _One(settings).sync(15, 12, 8, _seen(720.0)) == 12


def test_the_trigger_that_wants_most_decides() -> None:
    settings = USUAL.model_copy(update={"queue_target_ms": 20.0, "gpu_target_percent": 85})
    assert _One(settings).sync(15, 4, 4, _seen(300.0, 40.0, 50.0)) == 8


def test_pods_are_removed_when_the_whole_cool_down_wanted_fewer() -> None:
    scaler = _One(USUAL.model_copy(update={"down_percent": 100}))
    assert scaler.sync(0, 10, 10, _seen(800.0)) == 10
    wanted = {now: scaler.sync(now, 10, 10, _seen(80.0)) for now in range(15, 346, 15)}
    assert {now for now, count in wanted.items() if count < 10} == {300, 315, 330, 345}


def test_a_share_is_removed_in_a_period() -> None:
    scaler = _One(USUAL.model_copy(update={"cooldown_s": 0, "down_percent": 10, "down_period_s": 60}))
    present, seen = 20, []
    for now in range(15, 136, 15):
        present = scaler.sync(now, present, present, _seen(80.0))
        seen.append(present)
    assert seen == [18, 18, 18, 18, 16, 16, 16, 16, 14]


def test_added_pods_are_bounded_by_the_larger_policy() -> None:
    settings = USUAL.model_copy(update={"up_percent": 100, "up_pods": 2, "up_period_s": 60})
    scaler = _One(settings)
    assert scaler.sync(15, 1, 1, _seen(8000.0)) == 3
    assert scaler.sync(30, 3, 1, _seen(8000.0)) == 3
    assert scaler.sync(75, 3, 3, _seen(8000.0)) == 6


def test_more_pods_wait_for_the_stabilisation_of_growth() -> None:
    scaler = _One(USUAL.model_copy(update={"up_stabilization_s": 60}))
    assert scaler.sync(0, 4, 4, _seen(320.0)) == 4
    counts = [scaler.sync(now, 4, 4, _seen(640.0)) for now in (15, 30, 45, 60)]
    assert counts == [4, 4, 4, 8]


def test_without_a_metric_the_number_stays() -> None:
    assert _One(USUAL).sync(15, 7, 7, NOTHING) == 7


def test_keda_wakes_at_a_poll_and_sleeps_after_the_cool_down() -> None:
    scaler = _One(USUAL.model_copy(update={"least": 0, "cooldown_s": 60}))
    assert scaler.poll(0, 0, active=False) == 0
    assert scaler.sync(15, 0, 0, NOTHING) == 0
    assert scaler.poll(15, 0, active=True) == 1
    assert scaler.poll(60, 1, active=False) == 1
    assert scaler.poll(75, 1, active=False) == 0


def test_several_fleets_decide_as_each_does_alone() -> None:
    several = [
        USUAL,
        USUAL.model_copy(update={"least": 6, "cooldown_s": 60, "down_percent": 50}),
        USUAL.model_copy(update={"mode": "hpa", "up_stabilization_s": 30}),
        USUAL.model_copy(update={"rate_target_percent": None, "queue_target_ms": 20.0, "up_percent": 50}),
        USUAL.model_copy(update={"least": 0, "most": 9, "gpu_target_percent": 70}),
    ]
    random, alone, together = np.random.default_rng(3), [_One(one) for one in several], Autoscaler(several, 100.0)
    present = np.full(len(several), 4)
    for now in range(15, 1500, 15):
        ready = np.maximum(present - random.integers(0, 3, len(several)), 0)
        seen = [random.uniform(0, limit, len(several)) for limit in (1500, 60, 100)]
        if now % 135 == 0:
            seen = [np.where(np.arange(len(several)) == 1, np.nan, values) for values in seen]
        wanted = together.sync(now, Pods(present, ready), Seen(*seen))
        each = [
            one.sync(now, int(present[i]), int(ready[i]), Seen(*(values[i : i + 1] for values in seen)))
            for i, one in enumerate(alone)
        ]
        assert wanted.tolist() == each
        present = wanted


def test_rates_are_those_between_the_first_and_the_last_scrape_of_the_window() -> None:
    prometheus = Prometheus([60, 15])
    each = np.ones(2)
    prometheus.scrape(Counters(0, 0 * each, 0 * each, 0 * each, 0 * each))
    assert np.isnan(prometheus.ask(5).rate_per_s).all()
    for now in range(10, 101, 10):
        prometheus.scrape(Counters(now, 50 * now * each, 0.5 * now * each, 2 * now * each, now * each))
    seen = prometheus.ask(104)
    assert seen.rate_per_s == pytest.approx(50 * each)
    assert seen.queue_ms == pytest.approx(10 * each) and seen.busy_percent == pytest.approx(50 * each)
    assert np.isnan(prometheus.ask(108).rate_per_s).tolist() == [False, True]
