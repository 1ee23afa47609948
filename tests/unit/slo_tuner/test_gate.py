"""The locustfile's gate: real `locust -f` processes against a server of known times, and the counts by themselves."""

import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from known_server import MODEL, known_server

import slo_tuner
from command_line.exit_codes import ExitCode
from slo_tuner.load.gate import Counts, Gate, verdict
from slo_tuner.slo.objective import Objective, parse_objective

LOCUSTFILE = Path(slo_tuner.__file__).with_name("locustfile.py")
LOCUST = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]


@dataclass(frozen=True)
class Ended:
    """How a test with Locust ended: its exit code, and what the judging process printed."""

    code: int
    printed: str

    @property
    def requests(self) -> int:
        """How many requests were judged."""
        found = re.search(r"(\d+) requests", self.printed)
        return int(found[1]) if found else 0


def _environment(address: str, objective: str, settings: Mapping[str, str]) -> dict[str, str]:
    asked = {"SLO_TUNER_MODEL": MODEL, "SLO_TUNER_ADDRESS": address, "SLO_TUNER_OBJECTIVE": objective}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SLO_TUNER_", "LOCUST_"))}
    root = str(LOCUSTFILE.parents[1])
    return own | {"PYTHONPATH": root, "SLO_TUNER_WARM_UP_S": "0.3"} | asked | settings


def _alone(address: str, objective: str, *options: str, seconds: float = 2, **settings: str) -> Ended:
    """One process; options are Locust's, settings the locustfile's."""
    command = [*LOCUST, "--headless", f"--run-time={seconds}s", *options]
    done = subprocess.run(
        command,
        env=_environment(address, objective, settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout + done.stderr)


def _swarm(address: str, objective: str, *options: str, seconds: float = 3, **settings: str) -> Ended:
    """A master and two workers; the master's end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = _environment(address, objective, settings)
    master = subprocess.Popen(
        [*LOCUST, "--master", f"--master-bind-port={port}", "--expect-workers=2", "--headless"]
        + [f"--run-time={seconds}s", *options],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    worker = [*LOCUST, "--worker", "--master-host=127.0.0.1", f"--master-port={port}"]
    workers = [subprocess.Popen(worker, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in "12"]
    try:
        printed = master.communicate(timeout=60)[0]
        for process in workers:
            process.wait(30)
        return Ended(master.returncode, printed)
    finally:
        for process in (master, *workers):
            if process.poll() is None:
                process.kill()
                process.wait()


EITHER = pytest.mark.parametrize("run", [_alone, _swarm], ids=["alone", "swarm"])


@EITHER
@pytest.mark.parametrize(
    ("takes_ms", "objective", "code"),
    [(102, "p95<=100ms", ExitCode.NOT_KEPT), (104, "p95<=100ms", ExitCode.NOT_KEPT), (155, "p95<=400ms", 0)],
)
def test_exact_latencies_decide(run, takes_ms: int, objective: str, code: int) -> None:  # type: ignore[no-untyped-def]
    with known_server("fixed", takes_ms) as address:
        ended = run(address, objective, "-u4", "-r100")
    assert ended.code == code, ended.printed
    verdict_line = next(line for line in ended.printed.splitlines() if line.startswith("slo-tuner: objective"))
    assert (" kept; " if code == 0 else " missed; ") in verdict_line and ended.requests > 10
    reached = re.search(r"P95 of the answers (\d+\.\d) ms", verdict_line)
    assert reached and takes_ms <= float(reached[1]) < takes_ms + 200


@EITHER
def test_fast_failures_do_not_help(run) -> None:  # type: ignore[no-untyped-def]
    with known_server("fail", 2, 5) as address:
        ended = run(address, "p50<=400ms,errors<=10%", "-u2", "-r100")
    assert ended.code == ExitCode.NOT_KEPT, ended.printed
    failed = re.search(r"(\d+) requests, \d+ late, (\d+) failed", ended.printed)
    assert failed and int(failed[2]) == pytest.approx(int(failed[1]) / 2, abs=2)


@EITHER
def test_no_request_to_judge_is_unknown(run) -> None:  # type: ignore[no-untyped-def]
    with known_server("fixed", 1) as address:
        ended = run(address, "p95<=100ms", "-u2", "-r100", SLO_TUNER_WARM_UP_S="60")
    assert ended.code == ExitCode.UNKNOWN, ended.printed
    assert "unknown; no request was due after all users had started" in ended.printed


def test_requests_that_are_never_answered_are_late() -> None:
    with known_server("never") as address:
        ended = _alone(address, "p95<=100ms", "-u2", "-r100")
    assert ended.code == ExitCode.NOT_KEPT and "no answer" in ended.printed, ended.printed


@EITHER
def test_the_users_share_the_offered_rate_however_many_they_are(run) -> None:  # type: ignore[no-untyped-def]
    with known_server("fixed", 1) as address:
        ended = run(address, "p95<=5s", "-u10", "-r1000", SLO_TUNER_MODE="open", SLO_TUNER_RATE_PER_S="60")
    assert ended.code == 0, ended.printed
    # 60 a second for 1.7 s, or nearly 2.7; ten times as many where each user sends them all.
    assert 50 < ended.requests < 300, ended.printed


def test_a_ramp_is_not_judged() -> None:
    with known_server("fixed", 1) as address:
        ended = _alone(address, "p95<=5s", "-u50", "-r1")
    assert ended.code == ExitCode.UNKNOWN, ended.printed


def test_a_wrong_objective_names_its_variable_in_one_line() -> None:
    ended = _alone("127.0.0.1:9", "p95<100")
    assert ended.code == ExitCode.USAGE
    (line,) = [line for line in ended.printed.splitlines() if "slo-tuner" in line]
    assert line.startswith("slo-tuner: error: SLO_TUNER_OBJECTIVE: 'p95<100' is not allowed;")
    assert "Traceback" not in ended.printed


@EITHER
def test_a_model_that_is_not_there_is_a_failure_that_the_judge_reports(run) -> None:  # type: ignore[no-untyped-def]
    with known_server("fixed", 1) as address:
        ended = run(address, "p95<=100ms", "-u2", "-r100", SLO_TUNER_PROTOCOL="http", SLO_TUNER_CONTROL_ADDRESS=address)
    assert ended.code in (ExitCode.NOT_KEPT, ExitCode.FAILED)


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
