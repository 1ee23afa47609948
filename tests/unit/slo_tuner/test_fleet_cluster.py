"""Pods get nodes in zones, and everything that a node does takes its time and is paid for."""

from slo_tuner.fleet.cluster import Cluster
from slo_tuner.fleet.settings import Nodes, StartUp

STARTS = StartUp(node_s=100, image_s=40, load_s=8, warm_up_s=2)


def _cluster(pods: int = 3, **limits: object) -> Cluster:
    cluster = Cluster(STARTS, Nodes.model_validate({"zones": 3, "idle_s": 600, "drain_s": 30, **limits}))
    cluster.begin(pods)
    return cluster


def _run(cluster: Cluster, first: int, last: int) -> None:
    for now in range(first, last + 1):
        cluster.advance(now, 1.0)


def test_pods_are_spread_over_the_zones() -> None:
    assert _cluster(7).ready == [3, 2, 2]


def test_a_pod_on_a_new_node_waits_for_all_of_its_parts() -> None:
    cluster = _cluster()
    cluster.resize(4, 0)
    _run(cluster, 0, 149)
    assert (cluster.serving, cluster.present, sum(cluster.nodes)) == (3, 4, 4)
    _run(cluster, 150, 150)
    assert cluster.serving == 4


def test_a_node_on_its_way_is_no_quicker_for_another_pod() -> None:
    cluster = _cluster()
    cluster.resize(4, 0)
    cluster.resize(3, 10)
    cluster.resize(4, 20)
    _run(cluster, 21, 149)
    assert (cluster.serving, sum(cluster.nodes)) == (3, 4)
    _run(cluster, 150, 150)
    assert cluster.serving == 4


def test_a_removed_pod_drains_and_its_node_stays_for_the_next() -> None:
    cluster = _cluster()
    cluster.resize(2, 0)
    assert (cluster.serving, sum(cluster.nodes)) == (2, 3)
    _run(cluster, 0, 40)
    cluster.resize(3, 40)
    _run(cluster, 41, 50)
    assert (cluster.serving, sum(cluster.nodes)) == (3, 3)


def test_a_node_without_a_pod_is_given_back_after_its_time() -> None:
    cluster = _cluster()
    cluster.resize(2, 0)
    _run(cluster, 0, 629)
    assert sum(cluster.nodes) == 3
    _run(cluster, 630, 631)
    assert sum(cluster.nodes) == 2


def test_pods_without_room_are_pending_and_go_first() -> None:
    cluster = _cluster(3, per_zone=1)
    cluster.resize(5, 0)
    _run(cluster, 0, 300)
    assert (cluster.serving, cluster.pending, cluster.present) == (3, 2, 5)
    cluster.resize(4, 300)
    assert (cluster.serving, cluster.pending) == (3, 1)


def test_pods_of_a_lost_zone_get_requests_until_it_is_noticed_and_start_elsewhere_after_the_eviction() -> None:
    cluster = _cluster(6, lost_from_s=10, lost_until_s=1000, unnoticed_s=50, evicted_s=300)
    _run(cluster, 0, 10)
    assert (cluster.serving, cluster.gone, cluster.present, sum(cluster.nodes)) == (4, 2, 6, 4)
    _run(cluster, 11, 60)
    assert cluster.gone == 0
    _run(cluster, 61, 310)
    assert (cluster.lost, cluster.present, cluster.starting) == (0, 6, 2)
    _run(cluster, 311, 460)
    assert cluster.serving == 6 and min(cluster.ready) == 0


def test_a_zone_that_is_back_is_filled_again() -> None:
    cluster = _cluster(6, lost_from_s=10, lost_until_s=500)
    _run(cluster, 0, 500)
    cluster.resize(9, 500)
    _run(cluster, 501, 700)
    assert cluster.ready == [3, 3, 3]


def test_spot_nodes_are_taken_and_replaced() -> None:
    cluster = _cluster(30, reclaims_per_hour=2.0)
    _run(cluster, 0, 3600)
    assert 30 <= cluster.reclaimed <= 90
    assert cluster.present == 30
