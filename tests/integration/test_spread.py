"""Several servers: how requests spread over them, and that their number stays when an autoscaler takes it over."""

import pytest
from choices import Values, merged, server
from cluster import Object, get, items, wait_until
from counters import answered
from records import Records
from release import Release
from steady import steady_load, streams

# Each client asks a model of its own, so that the servers' counters tell them apart.
BALANCED, STICKY = "onnx_fp32", "onnx_int8"
ENOUGH = 180
EVEN = 1.15


@pytest.fixture(scope="module")
def release(namespace: str) -> Release:
    """The release; each test chooses how many servers it has."""
    return Release(namespace)


def _values(images: dict[str, str], servers: int) -> Values:
    """Servers with connections of any age, as without the limit nothing moves a client."""
    ageless = {"server": {"grpcMaxConnectionAgeSeconds": 0}}
    return server(images, ageless, models=[BALANCED, STICKY], replicas=servers)


# Downwards, because a client may be told an old address for some seconds, and an address without a server does no harm.
@pytest.mark.parametrize("servers", [3, 2])
def test_balanced_requests_spread_evenly_and_those_of_one_connection_not_at_all(
    servers: int, release: Release, images: dict[str, str], records: Records
) -> None:
    release.install(_values(images, servers), ["cpu"])
    release.settle(servers)
    before = {model: answered(release, model) for model in (BALANCED, STICKY)}

    def new(model: str) -> list[int]:
        return sorted(count - before[model][pod] for pod, count in answered(release, model).items())

    balanced, _, _ = streams(release.name, release.namespace, BALANCED)
    _, sticky, _ = streams(release.name, release.namespace, STICKY)
    with steady_load(release.namespace, images["locust"], f"load-{servers}", [balanced, sticky]) as load:
        wait_until("enough requests are answered", lambda: min(sum(new(BALANCED)), sum(new(STICKY))) >= ENOUGH, 60)
    by_pod = [new(BALANCED), new(STICKY)]
    records.add_spread(servers, load.report, by_pod)
    assert load.failed == {}
    assert [sum(counts) for counts in by_pod] == [one["requests"] for one in load.report["streams"]]
    assert max(by_pod[0]) <= EVEN * sum(by_pod[0]) / servers
    assert by_pod[1][:-1] == [0] * (servers - 1)


def _autoscaler(release: Release) -> list[Object]:
    return items(release.namespace, "horizontalpodautoscalers")


def test_an_autoscaler_takes_over_the_number_of_servers_as_it_is(release: Release, images: dict[str, str]) -> None:
    """KEDA, which asks a Prometheus that is not there: it knows nothing, so whatever the number is stays."""
    fixed = _values(images, 2)
    release.install(fixed, ["cpu"])
    release.settle(2)
    before = release.ready_pods()
    generation = _number(release)
    for change in ({}, {"monitoring": {"dashboards": {"enabled": True}}}):
        # Helm would wait for KEDA, which waits for its Prometheus.
        release.install(merged(fixed, change), ["cpu", "autoscale-keda"], wait=False)
        wait_until("KEDA has made its autoscaler", lambda: _autoscaler(release), 60)
        assert _number(release) == generation
    assert release.ready_pods() == before


def _number(release: Release) -> tuple[int, int]:
    """The number of servers that the Deployment names, and how often it or anything else was changed."""
    found = get(release.namespace, "deployment", release.name)
    return found["spec"]["replicas"], found["metadata"]["generation"]
