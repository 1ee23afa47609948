"""Through a real gateway: the chart's own routes serve both protocols, and a Job measures what the way costs."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import ask, ask_at, close
from choices import server
from cluster import Object, run
from gateway_api import Gateway, definitions, gateway, wait_until_routed
from jobs import run_job
from release import Release, start_pod, wait_for_end

MODEL = "onnx_fp32"
UNLOAD = """
import sys
import tritonclient.grpc, tritonclient.http
from tritonclient.utils import InferenceServerException

for protocol, address in ((tritonclient.http, sys.argv[1]), (tritonclient.grpc, sys.argv[2])):
    try:
        protocol.InferenceServerClient(address).unload_model(sys.argv[3])
        print("unloaded")
    except InferenceServerException as error:
        print(error.status())
"""


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


def test_the_gateway_refuses_to_unload_a_model(release: Release, images: dict[str, str], entrance: Gateway) -> None:
    command = ["python3", "/task/unload.py", *entrance.addresses.values(), MODEL]
    start_pod(release.namespace, "unload", images["locust"], command, {"unload.py": UNLOAD})
    said = wait_for_end(release.namespace, "unload").split()
    assert said == ["404", "StatusCode.UNIMPLEMENTED"]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_job_sweeps_through_the_service_and_the_gateway(
    protocol: str, release: Release, entrance: Gateway, tmp_path: Path
) -> None:
    results = _sweep(release, protocol, entrance)
    ways = results["sweep"]["targets"]
    assert (results["protocol"], results["complete"]) == (protocol, True)
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
