"""What machine and which software a measurement was taken with: kept beside every result."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

_PACKAGES = ("locust", "gevent", "grpcio", "tritonclient", "protobuf", "numpy")
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def describe_environment(server: dict[str, Any], load_workers: int = 1) -> dict[str, Any]:
    """CPU, memory, GPUs, kernel, versions and git revision of the machine of the load generator, and the server.

    `load_workers` is the number of processes that make the load.
    """
    cpu = _cpu()
    return {
        "cpu": cpu["model"],
        "cpu_cores": os.cpu_count(),
        "cpu_flags": cpu["flags"],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpus": _gpus(),
        "load_workers": load_workers,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "server": {"name": server.get("name", ""), "version": server.get("version", "")},
        "git_revision": _git_revision(),
    }


def _cpu() -> dict[str, Any]:
    facts: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", "").split()
    return {"model": facts.get("model name", platform.machine()), "flags": [f for f in _TELLING_FLAGS if f in flags]}


def _gpus() -> list[str]:
    return _output("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader").splitlines()


def _git_revision() -> str:
    here = str(Path(__file__).parent)
    revision = _output("git", "-C", here, "rev-parse", "--short=12", "HEAD")
    changed = revision and _output("git", "-C", here, "status", "--porcelain", "--untracked-files=no")
    return revision + ("+changes" if changed else "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
