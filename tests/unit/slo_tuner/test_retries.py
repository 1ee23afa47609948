"""gRPC's retry policy: followed by both load generators where it is asked for, by none of them otherwise."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from known_server import MODEL, known_server
from scripted_peer import send_all

from slo_tuner.access.client_access import Access
from slo_tuner.access.retry_policy import SERVICE_CONFIG
from slo_tuner.cli import main
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload
from slo_tuner.load.transport import RequestError

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "reliability.md"


def _work(address: str, retries: bool) -> Assignment:
    return Assignment("grpc", address, 5.0, (Payload("m", 1, b"", b"", 0),), access=Access(retries=retries))


@pytest.mark.slow
def test_every_fourth_request_that_meets_no_server_fails_unless_retries_are_asked_for() -> None:
    with known_server("unavailable", 4, 1) as server:
        rows, failures = send_all(_work(server.address, retries=False), 16)
        assert failures == {"UNAVAILABLE: told to be gone": 4} and rows.ok.sum() == 12
        rows, failures = send_all(_work(server.address, retries=True), 16)
        assert failures == {} and rows.ok.all()
        assert max(rows.done - rows.sent) >= 0.04, "the latency of a request sent again counts from its first attempt"


@pytest.mark.slow
def test_the_librarys_own_client_does_the_same() -> None:
    with known_server("unavailable", 2, 1) as server:
        for retries, failed in ((False, 3), (True, 0)):
            found = 0
            with closing(_work(server.address, retries).route().transport) as transport:
                for _ in range(6):
                    try:
                        transport.send()
                    except RequestError:
                        found += 1
            assert found == failed


@pytest.mark.slow
def test_results_say_that_requests_were_sent_again(tmp_path: Path) -> None:
    with known_server("unavailable", 50, 1) as server:
        arguments = ["measure", MODEL, f"--address={server.address}", "--rate=50", "--effort=smoke", "--retries"]
        assert main([*arguments, "--objective=p95<=5000ms", f"--output={tmp_path}"]) in (0, 3, 4)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["run"]["access"]["retries"] is True and results["models"][0]["points"][0]["errors"] == 0
    assert "requests sent again by gRPC&#39;s retry policy" in (tmp_path / "report.html").read_text()


def test_the_policy_is_the_documented_one() -> None:
    text = DOCUMENT.read_text()
    start = text.index('{"methodConfig"')
    assert json.loads(text[start : text.index("\n\n", start)]) == SERVICE_CONFIG
