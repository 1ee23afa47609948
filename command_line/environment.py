"""What machine this is and which software runs: kept beside every result."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .version import DISTRIBUTION

_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
# A hung driver must not hang whoever asks it.
_ANSWER_S = 20.0


@dataclass(frozen=True)
class Machine:
    """Hardware and kernel of one machine. `cpu_limit` is how many cores its cgroup may use, None for all of them.

    `gpus` holds one line a GPU: its name, memory and driver.
    """

    cpu: str
    cpu_cores: int
    cpu_flags: tuple[str, ...] = ()
    cpu_limit: float | None = None
    memory_gb: float = 0.0
    gpus: tuple[str, ...] = ()
    kernel: str = ""

    def __str__(self) -> str:
        """The machine in a few words: its GPUs, or its processor."""
        if self.gpus:
            return f"{len(self.gpus)} x {self.gpus[0].partition(',')[0]}"
        limit = f" (at most {self.cpu_limit:g} of them)" if self.cpu_limit is not None else ""
        return f"{self.cpu}, {self.cpu_cores} cores{limit}"


@dataclass(frozen=True)
class Software:
    """What measured: the version of this project, its git revision in a checkout of it, Python, and packages."""

    version: str
    revision: str = ""
    python: str = ""
    packages: dict[str, str] | None = None


def describe_machine() -> Machine:
    """The machine that this process runs on."""
    model, flags = cpu_model()
    return Machine(
        cpu=model,
        cpu_cores=os.cpu_count() or 1,
        cpu_flags=flags,
        cpu_limit=cpu_limit(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        gpus=_gpus(),
        kernel=platform.release(),
    )


def describe_software(packages: Sequence[str] = ()) -> Software:
    """The versions of this project, of Python, and of those of `packages` that are installed."""
    return Software(
        version=_version(DISTRIBUTION),
        revision=own_revision(),
        python=platform.python_version(),
        packages={name: version for name in packages if (version := _version(name))},
    )


def describe_environment(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Machine and software as plain values for a JSON file."""
    return {**asdict(describe_machine()), **asdict(describe_software(packages))}


def cpu_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """How many cores the cgroup of this process may use; None without a limit."""
    limited = limited_cgroup(root, own)
    return None if limited is None else limited[1]


def limited_cgroup(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> tuple[Path, float] | None:
    """The folder of the cgroup that limits the CPU time of this process, and its limit in cores; None without one.

    The tightest limit from the cgroup up to the root counts (Linux, Control Group v2, cpu.max; v1: cfs_quota_us).
    """
    folders = [root]
    for line in own.read_text().splitlines() if own.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            top = root if controllers == "" else root / "cpu"
            inside = top / path.lstrip("/")
            folders += [inside, *(folder for folder in inside.parents if folder.is_relative_to(root))]
    limits = [(folder, limit) for folder in folders if (limit := _limit_in(folder)) is not None]
    return min(limits, key=lambda one: one[1], default=None)


def _limit_in(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, tuple[str, ...]]:
    """The processor's name, and those of its flags that decide what inference costs in INT8 and in BF16."""
    facts: dict[str, str] = {}
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", "").split()
    return facts.get("model name", platform.machine()), tuple(flag for flag in _TELLING_FLAGS if flag in flags)


def _gpus() -> tuple[str, ...]:
    asked = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return tuple(_output(*asked).splitlines())


def own_revision(package: Path = Path(__file__).parent) -> str:
    """The git revision of this project's own checkout; empty where it is installed, even inside another repository."""
    checkout = package.resolve().parent
    if _output("git", "-C", str(checkout), "rev-parse", "--show-toplevel") != str(checkout):
        return ""
    project = checkout / "pyproject.toml"
    if not project.is_file() or f'name = "{DISTRIBUTION}"' not in project.read_text():
        return ""
    revision = _output("git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD")
    changed = revision and _output("git", "-C", str(checkout), "status", "--porcelain", "--untracked-files=no")
    return revision + ("+changes" if changed else "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _output(*command: str) -> str:
    """What a program prints; empty when it is not there, fails, or hangs, even where it can't be killed."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        asked = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return ""
    try:
        printed = asked.communicate(timeout=_ANSWER_S)[0]
    except subprocess.TimeoutExpired:
        # Not waited for: a program inside of a driver that hangs does not even end when it is killed.
        asked.kill()
        return ""
    return printed.strip() if asked.returncode == 0 else ""
