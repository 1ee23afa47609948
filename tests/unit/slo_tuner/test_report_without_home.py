"""A report is made, and nothing else is said, where the home folder can't be written: in a Pod, for a system's user."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_home_that_can_not_be_written_is_no_news(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    shutil.copy(ROOT / "results" / "cpu-amd-epyc-2-cores" / "results.json", results)
    left_out = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    # Nobody, root neither, makes a folder there.
    env = {name: value for name, value in os.environ.items() if name not in left_out} | {"HOME": "/proc/nobody"}
    command = [sys.executable, "-m", "slo_tuner", "report", str(results)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240, check=True)
    assert done.stderr == f"report: {tmp_path / 'report.html'}\n"
    assert (tmp_path / "report.html").stat().st_size > 10_000
