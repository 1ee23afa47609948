"""Whatever ends a command, its user reads one line: lost streams, signals, input that no library can take."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line.entry import run_command
from command_line.errors import UsageError

ROOT = Path(__file__).parents[2]


def _program(work: str) -> list[str]:
    """A command whose work is this Python."""
    indented = work.replace("\n", "\n    ")
    code = f"import sys\nfrom command_line.entry import run_command\ndef work():\n    {indented}\n    return 0\n"
    return [sys.executable, "-c", f"{code}sys.exit(run_command('command', work))"]


def _run(work: str, shell: str = 'exec "$@"', **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command by a line of shell, in which "$@" is the command."""
    command = ["bash", "-c", shell, "bash", *_program(work)]
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ('"$@" | head -1 >/dev/null; exit ${PIPESTATUS[0]}', "command: error: standard output: Broken pipe\n"),
        ('exec "$@" >/dev/full', "command: error: standard output: No space left on device\n"),
    ],
)
@pytest.mark.parametrize("work", ["print('x\\n' * 100_000)", "for _ in range(100_000): print('x')"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_no_more_is_named(shell: str, said: str, work: str, unbuffered: str) -> None:
    done = _run(work, shell, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (1, said)


def test_output_that_is_lost_at_the_very_end_is_not_success() -> None:
    assert _run("print('one line')", 'exec "$@" >/dev/full').returncode == 1


def test_help_that_nobody_reads_is_no_riddle() -> None:
    done = _run(
        "import argparse; argparse.ArgumentParser().parse_args(['--help'])", 'exec "$@" >/dev/full', PYTHONUNBUFFERED=""
    )
    assert (done.returncode, done.stderr) == (1, "command: error: standard output: No space left on device\n")


def test_closed_streams_do_not_end_in_files(tmp_path: Path) -> None:
    """The first file that is opened would take the number of a closed stream, and what is printed with it."""
    file = tmp_path / "file"
    work = f"kept = open({str(file)!r}, 'w')\nprint('out')\nprint('err', file=sys.stderr)\nkept.write('whole')"
    work += (
        "\nimport subprocess; subprocess.run(['sh', '-c', 'echo child; echo child >&2'])\nassert not sys.stdin.read()"
    )
    done = _run(work, 'exec "$@" <&- >&- 2>&-')
    assert (done.returncode, file.read_text()) == (0, "whole")


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {}])
def test_every_name_can_be_printed(environment: dict[str, str]) -> None:
    done = _run(r"print('5 \u00b5s of \udcff.jpg')", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"s of \udcff.jpg" in done.stdout or b"s of \xff.jpg".decode(errors="surrogateescape") in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_work_and_lets_it_clean_up(number: signal.Signals) -> None:
    # Ctrl-C counts for nothing in what a shell started in the background, and that is inherited.
    work = "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    work += "try:\n    print('ready', flush=True)\n    time.sleep(60)\nfinally:\n    print('cleaned')"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(_program(work), stdout=-1, stderr=-1, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "cleaned\n", "command: interrupted\n")


def _too_deep() -> int:
    return len(json.loads("[" * 100_000))


def _no_folder() -> int:
    return (Path("/proc/absent") / "file").write_text("")


def _two_lines() -> int:
    raise UsageError("model", "m", "one\nof two")


def _long_value() -> int:
    raise UsageError("port", "9" * 5000, "give a port")


def _too_large() -> int:
    return len(bytearray(1 << 62))


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (_too_deep, 1, "command: error: what it was given is nested too deeply to be read"),
        (_long_value, 2, f"command: error: port: '{'9' * 299}... is not allowed; give a port"),
        (_too_large, 1, "command: error: what it was given does not fit into the memory of this machine"),
        (_no_folder, 1, "command: error: /proc/absent/file: No such file or directory"),
        (_two_lines, 2, "command: error: model: 'm' is not allowed; one of two"),
    ],
)
def test_what_stops_a_command_is_one_line(
    work: Callable[[], int], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_command("command", work) == code
    assert capsys.readouterr().err == f"{said}\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command("command", lambda: 1 // 0)
