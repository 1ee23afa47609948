"""The queue of a Pod is that of queueing theory where it has answers, event by event and as a table."""

from functools import cache

import numpy as np
import pytest
from queue_theory import (
    batch_wait_s,
    crommelin_wait_s,
    crommelin_waits_more,
    erlang_late,
    erlang_wait_s,
)

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.capacity.queue_model import ServiceTime, miss_shares
from slo_tuner.fleet.pod_queue import Lanes, PodModel, play
from slo_tuner.fleet.pod_table import PodTable, Step, TableSpec, make_table

SERVICE_S = 0.02
pytestmark = pytest.mark.slow


def _pod(batch: int = 1, instances: int = 1, variation: float = 0.0) -> PodModel:
    """A Pod whose service takes 20 ms, whatever is in the batch and however many instances are busy."""
    service = ServiceTime(own=SERVICE_S, fixed=0.0, item=0.0, width=64.0, friction=0.0)
    return PodModel(Configuration(batch=batch, instances=instances), service, variation=variation)


@cache
def _table(pod: PodModel, limit_s: float) -> PodTable:
    """A rough table of all loads."""
    return make_table(pod, TableSpec(limit_s, patience_s=10.0, samples=500))


def _settled(pod: PodModel, rate: float, limit_s: float, seconds: int = 1600) -> Step:
    """What a step does once the Pod has had the same rate for ten minutes; the table is made for this rate alone.

    `seconds` of it are played where nothing waits at first.
    """
    load = rate / pod.saturation_per_s
    table = make_table(pod, TableSpec(limit_s, patience_s=5.0, samples=round(seconds * rate), loads=(load,)))
    state = table.idle()
    for _ in range(600):
        state, happened = table.advance(state, rate)
    return happened


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.8), (2, 0.7), (4, 0.6), (4, 0.85)])
def test_exponential_service_is_late_as_erlang_says(servers: int, load: float) -> None:
    rate = load * servers / SERVICE_S
    found = _settled(_pod(instances=servers, variation=1.0), rate, 0.05)
    assert found.late == pytest.approx(erlang_late(rate, SERVICE_S, servers, 0.05), rel=0.03)
    assert found.wait_s == pytest.approx(erlang_wait_s(rate, SERVICE_S, servers), rel=0.03)
    assert found.busy == pytest.approx(load, rel=0.03)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (1, 0.85), (2, 0.8), (4, 0.8)])
def test_constant_service_waits_as_crommelin_says(servers: int, load: float) -> None:
    rate = load * servers / SERVICE_S
    # Late is what waits longer than one service time: the second is its own.
    found = _settled(_pod(instances=servers), rate, 2 * SERVICE_S + 1e-9)
    assert found.wait_s == pytest.approx(crommelin_wait_s(rate, SERVICE_S, servers), rel=0.03)
    expected = crommelin_waits_more(rate, SERVICE_S, servers, 1)
    assert found.late == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("batch", "load"), [(4, 0.5), (4, 0.8), (16, 0.6), (16, 0.9)])
def test_batch_service_waits_as_bailey_says(batch: int, load: float) -> None:
    rate = load * batch / SERVICE_S
    found = _settled(_pod(batch=batch), rate, 0.1, seconds=400)
    assert found.wait_s == pytest.approx(batch_wait_s(rate, SERVICE_S, batch), rel=0.03)


def test_the_table_is_late_as_the_queue_that_is_played_without_it() -> None:
    """With batches, two instances, contention and a queue delay, where theory has no answer."""
    service = ServiceTime(own=0.002, fixed=0.004, item=0.004, width=1.5, friction=0.05)
    pod = PodModel(Configuration(batch=8, instances=2, delay_us=4000, preferred=(4,)), service)
    rate = 0.8 * pod.saturation_per_s
    lanes = Lanes(np.zeros(1000, dtype=np.int64), rate, 20.0, 0.06)
    played = play(pod, lanes, seed=7)
    found = _settled(pod, rate, 0.06)
    assert found.late == pytest.approx(played.late.sum() / played.arrived.sum(), rel=0.04)
    assert found.wait_s == pytest.approx(played.wait_s.sum() / played.arrived.sum(), rel=0.04)


def test_the_tuner_and_the_fleet_play_the_same_queue() -> None:
    service = ServiceTime(own=0.002, fixed=0.004, item=0.004, width=1.5, friction=0.05)
    configuration = Configuration(batch=8, instances=2)
    pod = PodModel(configuration, service)
    rate = 0.85 * pod.saturation_per_s
    played = play(pod, Lanes(np.zeros(200, dtype=np.int64), rate, 8.0, 0.06), seed=3)
    (shares,) = miss_shares([configuration], service, np.array([rate]), 0.06)[None, :]
    # 1,350 requests are one look at it: neighbours in a queue are late together.
    assert float(shares[0]) == pytest.approx(played.late.sum() / played.arrived.sum(), abs=0.05)


def test_a_longer_step_is_the_same_as_the_short_ones_at_the_rates_of_the_table() -> None:
    pod = _pod(batch=4)
    table = _table(pod, 0.03)
    rate = float(table.rates[12])
    long = table.coarser(15)
    state, late = table.idle(), []
    for _ in range(15):
        state, happened = table.advance(state, rate)
        late.append(happened.late)
    after, at_once = long.advance(long.idle(), rate)
    assert at_once.late == pytest.approx(np.mean(late), rel=1e-6) and at_once.late > 0
    assert after == pytest.approx(state, abs=1e-9)


def test_what_more_than_a_pod_can_serve_piles_up_and_is_served_later() -> None:
    pod = _pod(batch=4)
    table, saturation = _table(pod, 0.1), pod.saturation_per_s
    state = table.idle()
    for _ in range(5):
        state, happened = table.advance(state, 2 * saturation)
    assert table.waiting(state) == pytest.approx(5 * saturation, rel=0.05)
    assert happened.late > 0.99 and happened.refused == 0.0
    for _ in range(12):
        state, happened = table.advance(state, 0.4 * saturation)
    assert table.waiting(state) < 0.05 * saturation and happened.late < 0.05


def test_a_full_pod_refuses_what_it_cannot_hold() -> None:
    pod = _pod(batch=4)
    table, saturation = _table(pod, 0.1), pod.saturation_per_s
    state = table.idle()
    for _ in range(60):
        state, happened = table.advance(state, 2 * saturation)
    assert happened.refused == pytest.approx(0.5, rel=0.02) and happened.late == pytest.approx(1.0, rel=0.01)


def test_a_fast_pod_is_played_in_parts_of_a_step_that_say_the_same() -> None:
    service = ServiceTime(own=0.0004, fixed=0.0018, item=0.0003, width=4.0, friction=0.004)
    pod = PodModel(Configuration(batch=16, instances=4), service)
    rate = 0.95 * pod.saturation_per_s
    table = make_table(pod, TableSpec(0.1, patience_s=1.0, samples=1500, loads=(0.95,)))
    state = table.idle()
    for _ in range(60):
        state, happened = table.advance(state, rate)
    played = play(pod, Lanes(np.zeros(8, dtype=np.int64), rate, 4.0, 0.1), seed=7)
    assert table.step_s == 1.0
    assert happened.late == pytest.approx(0.0, abs=1e-3)
    assert happened.wait_s == pytest.approx(played.wait_s.sum() / played.arrived.sum(), rel=0.1)
    assert happened.busy == pytest.approx(played.busy.mean(), rel=0.02)
