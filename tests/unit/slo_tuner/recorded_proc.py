"""Machines as /proc and /sys show them: recorded texts, with the times that a test wants."""

from collections.abc import Sequence
from pathlib import Path

# One processor of a virtual machine of two, Linux 6.1: user, nice, system, idle, iowait, irq, softirq, steal, guests.
STAT = """\
cpu  84594 54681 39363 169962 2382 0 1475 6721 0 0
cpu0 32650 26022 17995 99068 444 0 233 3145 0 0
cpu1 51944 28659 21368 70894 1937 0 1241 3576 0 0
intr 2149661 0 0 0 0 0
ctxt 4574853
btime 1795642384
processes 52722
procs_running 5
"""

# A thread's name may hold anything: this one is "tmux: server (1)".
PROCESS = (
    "{pid} ({name}) S {parent} 10 10 0 -1 4194560 2206 20313 0 3 {user} {system} {waited_user} {waited_system} "
    "20 0 1 0 {started} 10280960 1056 18446744073709551615 94 94 140 0 0 0 0 3670016 1266777851 0 0 0 17 1 0 0 0 0 0\n"
)


def stat_of(*cpus: Sequence[int]) -> str:
    """/proc/stat of processors with these idle, softirq and steal ticks; their other times change nothing."""
    lines = [f"cpu{n} 100 0 50 {idle} 0 0 {soft} {steal} 0 0" for n, (idle, soft, steal) in enumerate(cpus)]
    return "\n".join(["cpu  1 2 3 4 5 6 7 8 0 0", *lines, "ctxt 4574853", ""])


def process(
    pid: int, parent: int, ticks: int, waited: int = 0, name: str = "python3", started: int = 7
) -> tuple[int, str]:
    """A process and its stat file, with this CPU time."""
    facts = {"pid": pid, "parent": parent, "name": name, "started": started}
    return pid, PROCESS.format(**facts, user=ticks, system=0, waited_user=waited, waited_system=0)


def write_proc(folder: Path, stat: str, *processes: tuple[int, str]) -> Path:
    """A /proc with these contents and nothing else, at `folder`."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.is_dir():
            (old / "stat").unlink()
            old.rmdir()
    (folder / "stat").write_text(stat)
    for pid, text in processes:
        (folder / str(pid)).mkdir()
        (folder / str(pid) / "stat").write_text(text)
    return folder
