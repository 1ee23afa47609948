"""How requests spread over Pods: evenly with the balancing that docs/architecture.md names, not over one connection."""

import pytest
from choices import server
from cluster import wait_until
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


# Downwards, because a client may be told an old address for some seconds, and an address without a server does no harm.
@pytest.mark.parametrize("servers", [3, 2])
def test_balanced_requests_spread_evenly_and_those_of_one_connection_not_at_all(
    servers: int, release: Release, images: dict[str, str], records: Records
) -> None:
    # Connections of any age, as without the limit nothing moves a client.
    ageless = {"server": {"grpcMaxConnectionAgeSeconds": 0}}
    release.install(server(images, ageless, models=[BALANCED, STICKY], replicas=servers), ["cpu"])
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
