"""Through a real gateway: routes and Ingress serve what is public alone; a Job measures what the way costs."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import endpoints
import pytest
from answers import ask, ask_at, close
from choices import server
from cluster import Object, kubectl, run
from gateway_api import Gateway, definitions, gateway, wait_until_routed
from jobs import run_job
from records import Records
from release import Release, start_pod, wait_for_end
from steady import steady_load

MODEL = "onnx_fp32"


@pytest.fixture(scope="module")
def entrance(namespace: str, gateway_image: str) -> Iterator[Gateway]:
    """The gateway of the namespace."""
    with definitions(), gateway(namespace, gateway_image) as started:
        yield started


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str], entrance: Gateway) -> Release:
    """One server behind a Gateway of the chart's own."""
    installed = Release(namespace)
    installed.install(server(images, entrance.values), ["cpu"])
    wait_until_routed(namespace)
    return installed


def test_answers_through_the_gateway_are_those_of_the_server(
    release: Release, images: dict[str, str], entrance: Gateway
) -> None:
    directly = ask(release.namespace, images["locust"], release.name, MODEL)
    through = ask_at(release.namespace, images["locust"], entrance.addresses, MODEL)
    for protocol in ("http", "grpc"):
        assert through[protocol]["model"] == MODEL
        assert close(through[protocol]["output"], directly[protocol]["output"])


@pytest.fixture(scope="module")
def statuses(release: Release, images: dict[str, str], entrance: Gateway) -> dict[str, dict[str, int | str]]:
    """What each endpoint of Triton answers, by the way: the Service, the gateway's routes, the Ingress."""
    https = {"http": f"{release.name}:8000", "routes": entrance.addresses["http"], "ingress": entrance.ingress_host}
    grpcs = {"grpc": f"{release.name}:8001", "grpc routes": entrance.addresses["grpc"]}
    ways = [f"{name}={address}" for name, address in https.items()]
    ways += ["--", *(f"{name}={address}" for name, address in grpcs.items())]
    script = (Path(__file__).parent / "endpoints.py").read_text()
    command = ["python3", "/task/endpoints.py", MODEL, *ways]
    start_pod(release.namespace, "endpoints", images["locust"], command, {"endpoints.py": script})
    return dict(json.loads(wait_for_end(release.namespace, "endpoints").splitlines()[-1]))


@pytest.mark.parametrize("way", ["routes", "ingress", "grpc routes"])
def test_clients_outside_reach_inference_health_and_descriptions_and_nothing_else(
    way: str, statuses: dict[str, dict[str, int | str]]
) -> None:
    allowed, refused = (
        (endpoints.ALLOWED_CALLS, endpoints.REFUSED_CALLS)
        if way == "grpc routes"
        else (endpoints.ALLOWED, endpoints.REFUSED)
    )
    answered = {one: status for one, status in statuses[way].items() if status not in endpoints.UNKNOWN}
    assert set(answered) == set(allowed), {one: statuses[way].get(one) for one in set(answered) ^ set(allowed)}
    # An answer through the way is the server's own.
    directly = statuses["grpc" if way == "grpc routes" else "http"]
    assert answered == {one: directly[one] for one in allowed}
    # The server serves what the way refuses, spellings that Triton does not know aside.
    assert sum(directly[one] not in endpoints.UNKNOWN for one in refused) >= 8


def test_a_client_that_keeps_its_connections_for_ever_loses_nothing_through_the_gateway(
    release: Release, images: dict[str, str], entrance: Gateway, records: Records
) -> None:
    """The gateway's connections to a Pod are its own: it leaves a Pod that stops, whatever its client does."""
    host = f"{release.name}.{release.namespace}.svc.cluster.local"
    stream = f"HTTP, the gateway, connections kept for ever=kept@{entrance.addresses['http']}/{MODEL}?server={host}"
    with steady_load(release.namespace, images["locust"], "load-kept", [stream]) as load:
        started, before = time.monotonic(), release.ready_pods()
        kubectl("-n", release.namespace, "rollout", "restart", f"deployment/{release.name}")
        release.settle(1, without=before)
        took_s = time.monotonic() - started
    records.add("rolling restart of one server behind a gateway", took_s, load.report)
    assert load.failed == {}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_job_sweeps_through_the_service_and_the_gateway(
    protocol: str, release: Release, entrance: Gateway, tmp_path: Path
) -> None:
    results = _sweep(release, protocol, entrance)
    ways = results["sweep"]["targets"]
    assert (results["run"]["protocol"], results["complete"]) == (protocol, True)
    assert [(way["name"], len(way["rounds"])) for way in ways] == [("direct", 2), ("gateway", 2)]
    points = [point for way in ways for one_round in way["rounds"] for point in one_round]
    assert [point["concurrency"] for point in points] == [1, 2] * 4
    assert all(point["requests"] > 0 and point["errors"] == 0 for point in points)
    (tmp_path / "results.json").write_text(json.dumps(results))
    run([sys.executable, "-m", "slo_tuner", "report", str(tmp_path / "results.json")])
    assert entrance.addresses[protocol] in (tmp_path / "report.html").read_text()


def _sweep(release: Release, protocol: str, entrance: Gateway) -> Object:
    """results.json of a Job of charts/locust."""
    port = {"http": 8000, "grpc": 8001}[protocol]
    target = {"address": f"{release.name}:{port}", "model": MODEL, "protocol": protocol}
    through = {"gateway": entrance.addresses[protocol]}
    job = {"command": "sweep", "through": through, "extraArgs": ["--effort=smoke", "--rounds=2"]}
    files = run_job(release.namespace, f"sweep-{protocol}", job, 120, target=target)
    return dict(json.loads(files["results.json"]))
