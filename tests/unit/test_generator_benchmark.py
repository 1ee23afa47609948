"""The benchmark of the load generator runs, and its last line is what it says: for machines that nobody watches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "generator.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "generator", "servers", "tls"),
    [
        ("http", "sockets", 2, []),
        ("grpc", "sockets", 1, []),
        ("grpc", "users", 1, []),
        ("http", "sockets", 1, ["--tls"]),
        ("grpc", "sockets", 2, ["--tls"]),
        ("grpc", "users", 1, ["--tls"]),
    ],
)
def test_the_benchmark_tells_costs_and_delays_as_json(
    protocol: str, generator: str, servers: int, tls: list[str]
) -> None:
    short = ["--rates=50", "--seconds=0.5", "--repeats=1", "--datatype=UINT8", *tls]
    chosen = [f"--protocol={protocol}", f"--generator={generator}", f"--servers={servers}"]
    command = [sys.executable, str(BENCHMARK), *short, *chosen]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    (row,) = told["rows"]
    assert row["rate_per_s"] == 50 and row["cpu_ms"] > 0 and row["server_cpu_ms"] > 0 and row["failed"] == 0
    assert told["request_kb"] == pytest.approx(151, abs=1) and told["options"]["servers"] == servers
