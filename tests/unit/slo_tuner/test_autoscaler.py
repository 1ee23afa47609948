"""The simulated autoscaler decides as Kubernetes and KEDA do."""

import pytest

from slo_tuner.fleet.autoscaler import Autoscaler, Counters, Pods, Prometheus, Seen
from slo_tuner.fleet.settings import ScalingSettings

USUAL = ScalingSettings(least=1, most=100, rate_target_percent=80, up_percent=1000, cooldown_s=300)


def _rate(per_s: float) -> Seen:
    return Seen(per_s, 0.0, 0.0)


def test_an_average_counts_the_sum_by_its_target() -> None:
    scaler = Autoscaler(USUAL, 100.0)
    assert scaler.sync(15, Pods(4, 4), _rate(641.0)) == 9


@pytest.mark.parametrize("rate", [291.0, 320.0, 351.0])
def test_within_a_tenth_of_the_target_nothing_changes(rate: float) -> None:
    assert Autoscaler(USUAL, 100.0).sync(15, Pods(4, 4), _rate(rate)) == 4


def test_a_mean_multiplies_the_pods_that_are_ready() -> None:
    settings = USUAL.model_copy(update={"rate_target_percent": None, "queue_target_ms": 20.0})
    scaler = Autoscaler(settings, 100.0)
    assert scaler.sync(15, Pods(6, 4), Seen(0.0, 50.0, 0.0)) == 10


def test_an_adapters_mean_counts_pods_without_one_as_idle_when_it_grows() -> None:
    settings = USUAL.model_copy(update={"mode": "hpa"})
    # 4 ready Pods have 200 each where 80 are wanted; 4 more start. (4 * 2.5 + 4 * 0) / 8 = 1.25 of 8.
    assert Autoscaler(settings, 100.0).sync(15, Pods(8, 4), _rate(800.0)) == 10
    # 8 of 12 ready have 90: 1.125 * 8 / 12 = 0.75 turns around, so nothing changes.
    assert Autoscaler(settings, 100.0).sync(15, Pods(12, 8), _rate(720.0)) == 12


def test_the_trigger_that_wants_most_decides() -> None:
    settings = USUAL.model_copy(update={"queue_target_ms": 20.0, "gpu_target_percent": 85})
    assert Autoscaler(settings, 100.0).sync(15, Pods(4, 4), Seen(300.0, 40.0, 50.0)) == 8


def test_pods_are_removed_when_the_whole_cool_down_wanted_fewer() -> None:
    scaler = Autoscaler(USUAL.model_copy(update={"down_percent": 100}), 100.0)
    assert scaler.sync(0, Pods(10, 10), _rate(800.0)) == 10
    wanted = {now: scaler.sync(now, Pods(10, 10), _rate(80.0)) for now in range(15, 346, 15)}
    assert {now for now, count in wanted.items() if count < 10} == {300, 315, 330, 345}


def test_a_share_is_removed_in_a_period() -> None:
    scaler = Autoscaler(USUAL.model_copy(update={"cooldown_s": 0, "down_percent": 10, "down_period_s": 60}), 100.0)
    present, seen = 20, []
    for now in range(15, 136, 15):
        present = scaler.sync(now, Pods(present, present), _rate(80.0))
        seen.append(present)
    assert seen == [18, 18, 18, 18, 16, 16, 16, 16, 14]


def test_added_pods_are_bounded_by_the_larger_policy() -> None:
    settings = USUAL.model_copy(update={"up_percent": 100, "up_pods": 2, "up_period_s": 60})
    scaler = Autoscaler(settings, 100.0)
    assert scaler.sync(15, Pods(1, 1), _rate(8000.0)) == 3
    assert scaler.sync(30, Pods(3, 1), _rate(8000.0)) == 3
    assert scaler.sync(75, Pods(3, 3), _rate(8000.0)) == 6


def test_more_pods_wait_for_the_stabilisation_of_growth() -> None:
    scaler = Autoscaler(USUAL.model_copy(update={"up_stabilization_s": 60}), 100.0)
    assert scaler.sync(0, Pods(4, 4), _rate(320.0)) == 4
    counts = [scaler.sync(now, Pods(4, 4), _rate(640.0)) for now in (15, 30, 45, 60)]
    assert counts == [4, 4, 4, 8]


def test_without_a_metric_the_number_stays() -> None:
    assert Autoscaler(USUAL, 100.0).sync(15, Pods(7, 7), None) == 7


def test_keda_wakes_at_a_poll_and_sleeps_after_the_cool_down() -> None:
    scaler = Autoscaler(USUAL.model_copy(update={"least": 0, "cooldown_s": 60}), 100.0)
    assert scaler.poll(0, 0, active=False) == 0
    assert scaler.sync(15, Pods(0, 0), None) == 0
    assert scaler.poll(15, 0, active=True) == 1
    assert scaler.poll(60, 1, active=False) == 1
    assert scaler.poll(75, 1, active=False) == 0


def test_rates_are_those_between_the_first_and_the_last_scrape_of_the_window() -> None:
    prometheus = Prometheus(60)
    prometheus.scrape(Counters(0, 0, 0, 0, 0))
    assert prometheus.ask(5) is None
    for now in range(10, 101, 10):
        prometheus.scrape(Counters(now, 50 * now, 0.5 * now, 2 * now, now))
    seen = prometheus.ask(104)
    assert seen is not None
    assert (seen.rate_per_s, seen.queue_ms, seen.busy_percent) == pytest.approx((50, 10, 50))
