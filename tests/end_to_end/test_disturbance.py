"""A real measurement beside programs that burn the machine: the result says so. Nothing is said of how quiet it is."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import Completed, run_tuner, started

pytestmark = pytest.mark.measures

# Ends by itself should these tests be killed.
BURN = "import time\nwhile time.process_time() < 120: pass"


@contextmanager
def _burning() -> Iterator[None]:
    """Beside a program that burns, on every core, what it gets of it."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _read(output: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((output / "results.json").read_text())
    return results


@pytest.fixture(scope="module")
def disturbed(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Completed, Path]:
    """One rate, measured while other programs take what they can get."""
    output = tmp_path_factory.mktemp("disturbed")
    arguments = ["measure", "onnx_fp32", f"--repository={repository}", f"--server-python={server_python}"]
    with _burning():
        done = run_tuner([*arguments, "--objective=p95<=5s", "--rate=20", "--effort=smoke", f"--output={output}"])
    return done, output


def test_a_result_beside_a_burning_program_is_marked(disturbed: tuple[Completed, Path]) -> None:
    done, output = disturbed
    (model,) = _read(output)["models"]
    assert re.fullmatch(r"other programs took \d+\.\d.* of \d+ cores", model["disturbed"]), done.stderr
    assert model["points"][-1]["disturbance"]["foreign_cores"] > 0.2
    assert model["unloaded_disturbance"]["disturbed"]


def test_the_terminal_and_the_headline_say_what_was_taken(disturbed: tuple[Completed, Path]) -> None:
    done, output = disturbed
    (model,) = _read(output)["models"]
    assert f"onnx_fp32: disturbed: {model['disturbed']}" in done.stdout
    assert "disturbed: other programs took" in done.stderr
    headline = re.search(r'<p class="headline">(.*?)</p>', (output / "report.html").read_text(), re.S)
    assert headline and f"Disturbed: {model['disturbed']}." in headline[1]


def test_a_disturbed_result_does_not_change_the_exit_code(disturbed: tuple[Completed, Path]) -> None:
    (model,) = _read(disturbed[1])["models"]
    if model["rate_per_s"] is not None:
        assert disturbed[0].returncode == 0, disturbed[0].stderr
    else:
        assert disturbed[0].returncode in (3, 4), disturbed[0].stderr


def test_a_running_server_of_this_machine_is_told_from_other_programs(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    serve = ["serve", str(repository), "--load=onnx_fp32", f"--server-python={server_python}"]
    with started("slo-tuner", [*serve, f"--log={tmp_path / 'triton.log'}"], until="models:") as (_, printed):
        address = re.search(r"gRPC (\S+),", printed)
        assert address, printed
        measure = ["measure", "onnx_fp32", f"--address={address[1]}", "--objective=p95<=5s", "--rate=20"]
        done = run_tuner([*measure, "--effort=smoke", f"--output={tmp_path / 'out'}"])
    (model,) = _read(tmp_path / "out")["models"]
    disturbance = model["points"][-1]["disturbance"]
    # However busy others are: what this server and the load had is not theirs.
    assert 0 <= disturbance["foreign_cores"] < disturbance["cores"], done.stderr
