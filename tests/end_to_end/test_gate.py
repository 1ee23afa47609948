"""The locustfile's gate: real `locust -f` processes against a server of known times, and the counts by themselves."""

import math
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from known_server import MODEL, known_server

import slo_tuner
from command_line.exit_codes import ExitCode
from slo_tuner.load.gate import Counts, Gate, verdict
from slo_tuner.slo.objective import Objective, parse_objective

pytestmark = pytest.mark.measures

LOCUSTFILE = Path(slo_tuner.__file__).with_name("locustfile.py")


@dataclass(frozen=True)
class Ended:
    """How a test with Locust ended: the exit code of the process that judges, and what it printed."""

    code: int
    printed: str

    @property
    def line(self) -> str:
        """The line of the verdict."""
        return next((line for line in self.printed.splitlines() if line.startswith("slo-tuner: ")), "")

    def counted(self) -> tuple[int, int, int]:
        """How many requests were judged, late and failed."""
        found = re.search(r"(\d+) requests, (\d+) late, (\d+) failed", self.line)
        assert found, self.printed
        return int(found[1]), int(found[2]), int(found[3])


class Load:
    """`locust -f` with the locustfile: one process, or a master and two workers, until it ends or is told to."""

    def __init__(self, swarm: bool, address: str, objective: str, *options: str, **settings: str) -> None:
        asked = {"SLO_TUNER_MODEL": MODEL, "SLO_TUNER_ADDRESS": address, "SLO_TUNER_OBJECTIVE": objective}
        own = {name: value for name, value in os.environ.items() if not name.startswith(("SLO_TUNER_", "LOCUST_"))}
        self._env = own | {"PYTHONPATH": str(LOCUSTFILE.parents[1]), "SLO_TUNER_WARM_UP_S": "0.1"} | asked | settings
        if swarm:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self._judge = self._start("--master", f"--master-bind-port={port}", "--expect-workers=2", *options)
            at = ("--master-host=127.0.0.1", f"--master-port={port}")
            self._workers = [self._start("--worker", *at) for _ in range(2)]
        else:
            self._judge, self._workers = self._start(*options), []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._judge, *self._workers):
            if process.poll() is None:
                process.kill()
            process.communicate()

    def _start(self, *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *options]
        headless = [] if "--worker" in options else ["--headless"]
        return subprocess.Popen(
            [*command, *headless], env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def end(self) -> Ended:
        """Stop it now."""
        self._judge.terminate()
        return self.ended()

    def ended(self) -> Ended:
        """Wait for its end, the workers' too."""
        printed = self._judge.communicate(timeout=90)[0]
        for worker in self._workers:
            worker.wait(30)
        return Ended(self._judge.returncode, printed)


EITHER = pytest.mark.parametrize("swarm", [False, True], ids=["alone", "swarm"])


@pytest.mark.parametrize(
    ("swarm", "takes_ms", "objective", "code"),
    [
        (False, 102, "p95<=100ms", ExitCode.NOT_KEPT),
        (False, 104, "p95<=100ms", ExitCode.NOT_KEPT),
        (True, 102, "p95<=100ms", ExitCode.NOT_KEPT),
        (False, 155, "p90<=2s", ExitCode.DONE),
        (True, 155, "p90<=2s", ExitCode.DONE),
    ],
)
def test_exact_latencies_decide(swarm: bool, takes_ms: int, objective: str, code: ExitCode) -> None:
    with known_server("fixed", takes_ms) as server, Load(swarm, server.address, objective, "-u4", "-r100") as load:
        server.requests(40)
        ended = load.end()
    requests, late, failed = ended.counted()
    assert ended.code == code, ended.printed
    assert requests > 10 and failed == 0 and late == (0 if code == ExitCode.DONE else requests)
    reached = re.search(r"P9[05] of the answers (\d+\.\d) ms", ended.line)
    assert reached and float(reached[1]) >= takes_ms


@EITHER
def test_fast_failures_do_not_help(swarm: bool) -> None:
    objective = "p50<=2s,errors<=10%"
    with known_server("fail", 2, 5) as server, Load(swarm, server.address, objective, "-u2", "-r100") as load:
        server.requests(40)
        ended = load.end()
    requests, _, failed = ended.counted()
    assert ended.code == ExitCode.NOT_KEPT and failed == pytest.approx(requests / 2, abs=2)


@EITHER
def test_no_request_to_judge_is_unknown(swarm: bool) -> None:
    options = ("-u2", "-r100", "--run-time=1s")
    with (
        known_server("fixed", 1) as server,
        Load(swarm, server.address, "p95<=1s", *options, SLO_TUNER_WARM_UP_S="60") as load,
    ):
        ended = load.ended()
    assert ended.code == ExitCode.UNKNOWN, ended.printed
    assert "unknown; no request was due after all users had started" in ended.line


def test_requests_that_are_never_answered_are_late() -> None:
    with known_server("never") as server, Load(False, server.address, "p95<=1ms", "-u2", "-r100") as load:
        server.requests(2)
        time.sleep(1.0)  # nothing comes that could be waited for
        ended = load.end()
    assert ended.code == ExitCode.NOT_KEPT and "2 requests, 2 late, 0 failed; no answer" in ended.line, ended.printed


@EITHER
def test_the_users_share_the_offered_rate_however_many_they_are(swarm: bool) -> None:
    settings = {"SLO_TUNER_MODE": "open", "SLO_TUNER_RATE_PER_S": "60"}
    options = ("-u10", "-r1000")
    with known_server("fixed", 1) as server, Load(swarm, server.address, "p95<=9s", *options, **settings) as load:
        arrived = server.requests(160)
        ended = load.end()
    rate = (len(arrived) - 11) / (arrived[-1] - arrived[10])
    assert 30 < rate < 110, "600 a second where every user sends them all"
    assert ended.code == ExitCode.DONE, ended.printed


def test_a_wrong_objective_names_its_variable_in_one_line() -> None:
    with Load(False, "127.0.0.1:9", "p95<100") as load:
        ended = load.ended()
    assert ended.code == ExitCode.USAGE and "Traceback" not in ended.printed
    assert ended.line.startswith("slo-tuner: error: SLO_TUNER_OBJECTIVE: 'p95<100' is not allowed;")


@EITHER
def test_a_load_that_cannot_be_made_is_a_failure_whose_reason_the_judge_prints(swarm: bool) -> None:
    with (
        known_server("fixed", 1) as server,
        Load(swarm, server.address, "p95<=1s", "-u2", "-r100", "--run-time=60s", SLO_TUNER_MODEL="absent") as load,
    ):
        ended = load.ended()
    assert ended.code == ExitCode.FAILED, ended.printed
    assert re.search("slo-tuner: error: .*unknown model: 'absent' is not found", ended.printed)


def _counted(latencies_ms: list[float], limit_ms: float = 100.0, failed: int = 0) -> Counts:
    gate = Gate(limit_ms, 0.0)
    gate.users_started(0.0)
    for latency_ms in latencies_ms:
        gate.ended(1.0, latency_ms, failed=False)
    for _ in range(failed):
        gate.ended(1.0, 0.5, failed=True)
    return gate.take()


@pytest.mark.parametrize(
    ("text", "latency_ms", "code"),
    [
        ("p95<=100ms", 104, ExitCode.NOT_KEPT),
        ("p95<=1s", 1049, ExitCode.NOT_KEPT),
        ("p95<=250ms", 254, ExitCode.NOT_KEPT),
        ("p95<=159ms", 155, ExitCode.DONE),
        ("p99.9<=100ms", 100, ExitCode.DONE),
    ],
)
def test_the_verdict_is_not_that_of_rounded_latencies(text: str, latency_ms: float, code: ExitCode) -> None:
    objective = parse_objective(text)
    assert verdict(objective, _counted([latency_ms] * 200, objective.limit_ms))[0] == code


def test_the_line_names_the_quantile_that_was_asked_for() -> None:
    counts = _counted([10.0] * 998 + [90.0, 150.0])
    code, text = verdict(parse_objective("p99.9<=100ms"), counts)
    assert code == ExitCode.DONE
    assert text == "objective p99.9<=100ms: kept; 1000 requests, 1 late, 0 failed; P99.9 of the answers 90.0 ms"


def test_counts_of_several_processes_are_judged_as_one() -> None:
    total = Counts()
    for part in (_counted([10.0] * 90), _counted([200.0] * 10, failed=1)):
        total.add(Counts.from_message(part.to_message()))
    assert (total.requests, total.misses, total.errors) == (101, 11, 1)
    assert verdict(Objective(0.9, 100.0, 0.05), total)[0] == ExitCode.NOT_KEPT
    assert total.quantile_ms(0.5) == pytest.approx(10.0, rel=6e-4)


def test_what_is_due_before_all_users_run_and_the_warm_up_is_over_does_not_count() -> None:
    gate = Gate(100.0, warm_up_s=2.0)
    gate.ended(5.0, 500.0, failed=True)
    gate.users_started(10.0)
    gate.users_started(50.0)
    gate.ended(11.9, 500.0, failed=True)
    gate.ended(12.0, 1.0, failed=False)
    assert gate.take().requests == 1


def test_what_is_under_way_when_the_test_stops_is_late_when_its_limit_is_over() -> None:
    gate = Gate(100.0, 0.0)
    gate.users_started(0.0)
    with gate.watching(1.0), gate.watching(1.95):
        gate.stop(2.0)
        gate.ended(1.0, 5.0, failed=False)  # too late to count again
    counts = gate.take()
    assert (counts.requests, counts.misses) == (1, 1)
    assert counts.quantile_ms(0.95) is None and not math.isnan(counts.misses)
