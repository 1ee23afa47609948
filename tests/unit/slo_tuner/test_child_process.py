"""Children end with the tuner, however it ends, and what starts them loads nothing between fork and exec."""

import ctypes
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from slo_tuner.child_process import end_children, start_child

# Starts a child that sleeps, says which process that is, and waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from slo_tuner.child_process import start_child

with Path(sys.argv[1]).open("wb") as log:
    print(start_child([sys.executable, "-c", "import time; time.sleep(600)"], log).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            assert child.is_running() and child.cmdline()[0] == sys.executable
        finally:
            parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=30)
    for one in alive:
        one.kill()
    assert gone == [child]


def test_no_library_is_loaded_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may hold the loader's lock while the tuner forks; the child would wait for it forever."""

    def loads(*arguments: object) -> None:
        raise AssertionError(f"{arguments} is loaded after the fork")

    monkeypatch.setattr(ctypes, "CDLL", loads)
    with (tmp_path / "log").open("wb") as log:
        child = start_child([sys.executable, "-c", "print('started')"], log)
        assert child.wait(30) == 0
    assert (tmp_path / "log").read_text() == "started\n"


@pytest.mark.slow
def test_a_child_that_does_not_end_politely_is_ended_by_force_with_its_own_children(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    own = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    with (tmp_path / "log").open("wb") as log:
        child = start_child([sys.executable, "-c", own + stubborn + "time.sleep(600)"], log)
    deadline = time.monotonic() + 30
    while "deaf" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    others = psutil.Process(child.pid).children()
    assert len(others) == 1
    end_children([child], 0.1)
    assert child.returncode == -signal.SIGKILL
    assert psutil.wait_procs(others, timeout=30)[1] == []


def test_a_child_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    """So Ctrl-C reaches the tuner alone."""
    log = io.FileIO(tmp_path / "log", "w")
    with log:
        child = start_child([sys.executable, "-c", "import os; print(os.getsid(0))"], log)
        assert child.wait(30) == 0
    assert int((tmp_path / "log").read_text()) == child.pid != os.getsid(0)
