"""A slow model, and one that only fails, measured by the command as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from known_server import MODEL, known_server

import slo_tuner

pytestmark = pytest.mark.measures


def _measure(address: str, output: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "slo_tuner", "measure", MODEL, f"--address={address}", f"--output={output}"]
    return subprocess.run(
        [*command, "--effort=smoke", *arguments],
        cwd=Path(slo_tuner.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_model_slower_than_the_time_out_that_its_limit_gives_has_a_result(tmp_path: Path) -> None:
    """The limit alone would give each request 2 s."""
    with known_server("fixed", 2300) as server:
        done = _measure(server.address, tmp_path, "--rate=2", "--objective=p99.9<=100ms")
    assert done.returncode == 3, done.stderr
    (model,) = json.loads((tmp_path / "results.json").read_text())["models"]
    (point,) = model["points"]
    assert 2300 <= model["unloaded_ms"] < 4000 and point["errors"] == 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("  single")]
    assert f" P99.9 {point['objective_quantile_ms']:7.1f} ms " in line


def test_a_server_that_only_fails_is_named_with_its_reason(tmp_path: Path) -> None:
    with known_server("fail", 1, 1) as server:
        done = _measure(server.address, tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("slo-tuner: error: no request to 'm' was answered in ") and "told to fail" in last


def test_a_time_out_that_was_too_short_is_named(tmp_path: Path) -> None:
    with known_server("never") as server:
        done = _measure(server.address, tmp_path, "--timeout-s=0.5")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "DEADLINE_EXCEEDED" in last and "(the time-out of a request is 0.5 s: --timeout-s)" in last
